// Bytes that are written once and then read by several threads without being copied.

/// One run of bytes, filled while it is made and never changed afterwards; a copy and a part of it share its memory.
///
/// ```swift
/// let bytes = SharedBytes(count: 1 << 20) { $0.copyMemory(from: source) }
/// let rest = bytes[100...]  // no copy
/// ```
///
/// For sessions on their way between the pool, the network and the disk. From a megabyte on the memory is on large pages, and
/// used again (``SpareMemory``): handing out 900 small pages takes Linux longer than Redis takes to send what goes into them.
/// An array is better for less, and for whatever grows.
public struct SharedBytes: Sendable {
    /// Owner of the memory. What a value's range covers is not written any more.
    private final class Memory: Sendable {
        private let run: SpareMemory.Run
        private let isLarge: Bool

        init(count: Int) {
            isLarge = count >= 1 << 20
            run = isLarge ? SpareMemory.shared.take(count) : SpareMemory.Run(count: count, isHuge: false)
        }

        deinit {
            if isLarge { SpareMemory.shared.giveBack(run) }
        }

        var elements: UnsafeMutableBufferPointer<UInt8> { run.buffer.elements }
    }

    /// Hears of bytes while they come, on the thread that brings them: those that are there, from the first on. None at all
    /// mean that it begins, perhaps anew.
    public typealias Watcher = @Sendable (SharedBytes) -> Void

    private let memory: Memory
    private let range: Range<Int>

    /// - Parameter fill: writes all bytes, which are anything before. If it throws there are none.
    public init<Failure: Error>(
        count: Int,
        filledBy fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try self.init(count: count, watchedBy: nil) { (buffer, _) throws(Failure) in try fill(buffer) }
    }

    /// The same for bytes that come little by little.
    ///
    /// - Parameters:
    ///   - watcher: hears of them.
    ///   - fill: calls its second argument when there are more of the first bytes, with how many; these stay as they are.
    public init<Failure: Error>(
        count: Int,
        watchedBy watcher: Watcher?,
        filledBy fill: (UnsafeMutableRawBufferPointer, (Int) -> Void) throws(Failure) -> Void
    ) throws(Failure) {
        let memory = Memory(count: count)
        self.memory = memory
        range = 0..<count
        watcher?(SharedBytes(memory, 0..<0))
        let room = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(memory.elements)[..<count])
        try fill(room) { watcher?(SharedBytes(memory, 0..<$0)) }
    }

    /// A copy of other bytes.
    public init(_ bytes: some Collection<UInt8>) {
        self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
    }

    private init(_ memory: Memory, _ range: Range<Int>) {
        self.memory = memory
        self.range = range
    }

    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(UnsafeMutableRawBufferPointer(rebasing: raw[range])))
    }

    private var raw: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(memory.elements) }
}

extension SharedBytes: RandomAccessCollection {
    public var startIndex: Int { range.lowerBound }
    public var endIndex: Int { range.upperBound }

    public subscript(index: Int) -> UInt8 {
        precondition(range.contains(index))
        return memory.elements[index]
    }

    /// The same memory, with the same indices.
    public subscript(bounds: Range<Int>) -> SharedBytes {
        precondition(bounds.lowerBound >= range.lowerBound && bounds.upperBound <= range.upperBound)
        return SharedBytes(memory, bounds)
    }

    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        try body(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(memory.elements)[range]))
    }
}

extension SharedBytes: Hashable, ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: UInt8...) { self.init(elements) }

    public static func == (left: SharedBytes, right: SharedBytes) -> Bool {
        left.withUnsafeBytes { left in right.withUnsafeBytes { left.elementsEqual($0) } }
    }

    public func hash(into hasher: inout Hasher) {
        withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}
