// The one error of this module: every way in which a file of a model folder can be wrong.

/// A model file that cannot be used: which file, which part of it, what is wrong and what would be right.
public struct ModelFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong, for code that reacts differently to each.
    public enum Kind: Sendable, Hashable {
        /// The operating system refused: not there, not readable, not a regular file, disk full.
        case inaccessible
        /// The file breaks its format: truncated, overlapping, not JSON.
        case malformed
        /// The file is well formed and says something that this model cannot be: a wrong shape, a missing tensor.
        case inconsistent
        /// The file is right and asks for something that Catena does not do.
        case unsupported
    }

    public var kind: Kind
    /// Path of the file, as it was given or formed.
    public var file: String
    /// The tensor or configuration key at fault; nil when it is the file as a whole.
    public var item: String?
    /// What was found.
    public var problem: String
    /// What would be right; nil when the problem says it all.
    public var expectation: String?

    public init(_ kind: Kind, file: String, item: String? = nil, problem: String, expectation: String? = nil) {
        self.kind = kind
        self.file = file
        self.item = item
        self.problem = problem
        self.expectation = expectation
    }

    public var description: String {
        var text = file
        if let item { text += ": \(item)" }
        text += ": \(problem)"
        if let expectation { text += "; expected \(expectation)" }
        return text
    }
}
