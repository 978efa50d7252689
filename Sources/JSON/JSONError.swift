/// Why a text is not JSON that we take, and where.
package struct JSONError: Error, Sendable, Hashable {
    /// What was found, and what should be there: a noun phrase.
    package var problem: String
    /// Bytes before the problem.
    package var offset: Int
    /// Counted from 1.
    package var line: Int
    /// In bytes, counted from 1.
    package var column: Int

    /// - Parameter bytes: the whole text.
    init(problem: String, offset: Int, in bytes: UnsafeRawBufferPointer) {
        self.problem = problem
        self.offset = offset
        let before = bytes.prefix(offset)
        self.line = 1 + before.count { $0 == UInt8(ascii: "\n") }
        self.column = 1 + before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count
    }
}
