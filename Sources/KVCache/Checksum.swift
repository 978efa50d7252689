// The checksum of snapshots.

import CZlib
import Tensor

/// CRC-32 as of gzip and PNG (ISO 3309).
///
/// It finds every change within 32 bits in a row for certain, so every wrong byte, and any other damage with all but one
/// chance in 2^32. A 64-bit hash would only better the latter. Any tool can check it, `zlib.crc32` of Python for one. It
/// guards against damage and not against forgery, as whoever can write the snapshot can write the checksum.
///
/// By zlib, and the better part of many bytes by the processor's own instructions: 3.7 MB, a session of the bundled model, take
/// zlib half as long as they take on their way from Redis.
///
/// - Parameter start: the checksum of the bytes before, if these are not the first.
func checksum(_ bytes: UnsafeRawBufferPointer, from start: UInt32 = 0) -> UInt32 {
    let folded = bytes.count / Kernels.foldUnit * Kernels.foldUnit
    let front = UnsafeRawBufferPointer(rebasing: bytes[..<folded])
    guard folded > 0, let residue = Kernels.foldCRC32(front, state: ~start) else {
        return zlibChecksum(bytes, from: start)
    }
    // All ones, inverted, are the 0 that the residue's begins at.
    let frontSum = withUnsafeBytes(of: residue) { zlibChecksum($0, from: .max) }
    return zlibChecksum(UnsafeRawBufferPointer(rebasing: bytes[folded...]), from: frontSum)
}

/// The same, all of it by zlib.
func zlibChecksum(_ bytes: UnsafeRawBufferPointer, from start: UInt32 = 0) -> UInt32 {
    // Without an address zlib would begin anew.
    guard !bytes.isEmpty, let first = bytes.bindMemory(to: UInt8.self).baseAddress else { return start }
    return UInt32(truncatingIfNeeded: crc32_z(UInt(start), first, bytes.count))
}
