import CKernels

extension Kernels {
    /// ``foldCRC32(_:state:)`` takes so many bytes, or a multiple.
    public static let foldUnit = 64

    /// Sixteen bytes with the CRC-32 of more, or nil where the processor has no instruction for it.
    ///
    /// The CRC-32 is that of gzip, begun at 0 and without the inversions at its two ends.
    ///
    /// - Parameters:
    ///   - bytes: at least one ``foldUnit``, and no part of one.
    ///   - state: the CRC-32 of the bytes before, inverted.
    public static func foldCRC32(_ bytes: UnsafeRawBufferPointer, state: UInt32) -> SIMD16<UInt8>? {
        guard canFold, let first = bytes.bindMemory(to: UInt8.self).baseAddress else { return nil }
        precondition(bytes.count.isMultiple(of: foldUnit))
        var residue = SIMD16<UInt8>()
        withUnsafeMutableBytes(of: &residue) {
            ck_crc32_fold($0.bindMemory(to: UInt8.self).baseAddress, state, first, bytes.count)
        }
        return residue
    }

    private static let canFold = ck_crc32_can_fold() != 0
}
