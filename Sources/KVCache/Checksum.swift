// The checksum of snapshots.

import CZlib

/// CRC-32 as of gzip and PNG (ISO 3309), by zlib.
///
/// It finds every change within 32 bits in a row for certain, so every wrong byte, and any other damage with all but one
/// chance in 2^32. A 64-bit hash would only better the latter. Any tool can check it, `zlib.crc32` of Python for one. It
/// guards against damage and not against forgery, as whoever can write the snapshot can write the checksum.
func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    UInt32(truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
}
