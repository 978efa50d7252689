import CZlib

/// `bytes` as one gzip member (RFC 1952), without name and time, so that the same bytes always give the same.
///
/// Cost: some 260 KiB of memory during the call; a core compresses tens of megabytes a second at level 6.
///
/// - Parameter level: 1 (fast) to 9 (small).
public func gzip(_ bytes: [UInt8], level: Int) -> [UInt8] {
    precondition((1...9).contains(level), "gzip levels are 1 to 9, not \(level)")
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    return withUnsafeMutablePointer(to: &stream) { stream in
        let started = deflateInit2_(
            stream,
            Int32(level),
            Z_DEFLATED,
            16 + MAX_WBITS,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            size
        )
        precondition(started == Z_OK, "zlib cannot be started: \(started)")
        defer { deflateEnd(stream) }
        let bound = Int(deflateBound(stream, UInt(bytes.count)))
        return [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            bytes.withUnsafeBufferPointer { input in
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                let result = deflate(stream, Z_FINISH)
                // zlib's bound is a promise that one call is enough.
                precondition(result == Z_STREAM_END, "zlib cannot compress: \(result)")
                count = output.count - Int(stream.pointee.avail_out)
            }
        }
    }
}
