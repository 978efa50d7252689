import Tensor

/// The checksum of a snapshot's payload as far as the snapshot has come: computed while the rest is on its way, in the time
/// that would be waited, and on bytes that the processor has just had in its hands.
///
/// ```swift
/// var sum = PayloadChecksum()
/// sum.update(firstHalf)   // the bytes from the snapshot's start on that are there
/// sum.update(all)
/// let snapshot = try KVSnapshot(decoding: bytes, as: expectation, summed: sum)
/// ```
/// A value of one snapshot's bytes: nothing of it is believed but the sum, and nothing is checked here.
public struct PayloadChecksum: Sendable, Hashable {
    /// Where in the snapshot the summed bytes are; nil before its header said where the payload begins.
    private(set) var range: Range<Int>?
    private(set) var value: UInt32 = 0

    public init() {}

    /// Adds what has come since the last time.
    ///
    /// - Parameter bytes: the snapshot's, from its start on; as many as before or more. With none it begins anew.
    public mutating func update(_ bytes: SharedBytes) {
        if bytes.isEmpty { self = PayloadChecksum() }
        guard bytes.count >= KVSnapshot.fixedHeaderBytes else { return }
        let start = Int(KVSnapshot.load(bytes, at: 12) as UInt32)
        let done = range?.upperBound ?? start
        // The last bytes may be those of the checksum itself.
        let end = bytes.count - KVSnapshot.checksumBytes
        guard end > done else { return }
        value = bytes[done..<end].withUnsafeBytes { checksum($0, from: value) }
        range = start..<end
    }
}
