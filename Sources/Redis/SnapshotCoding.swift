import CZlib
import Tensor

/// How a snapshot's bytes stand in Redis.
///
/// Keys and values are floating-point numbers, which general compressors hardly shrink: their low bytes are noise. The high
/// bytes are not, as most numbers have one of few exponents. So even and odd bytes are parted, and each part is packed by
/// Huffman codes alone (DEFLATE, RFC 1951), if that makes it smaller.
enum SnapshotCoding: String, Sendable, Hashable {
    case raw
    case packed

    /// The smaller one of both forms; packed only where that saves at least a tenth.
    static func encode(_ bytes: SharedBytes, packing: Bool) -> (coding: SnapshotCoding, bytes: SharedBytes) {
        guard packing else { return (.raw, bytes) }
        let packed = pack(bytes)
        return packed.count * 10 <= bytes.count * 9 ? (.packed, SharedBytes(packed)) : (.raw, bytes)
    }

    /// - Parameter count: how many bytes there were.
    /// - Returns: nil for what `encode` did not make.
    func decode(_ stored: SharedBytes, count: Int) -> SharedBytes? {
        switch self {
        case .raw: stored.count == count ? stored : nil
        case .packed: Self.unpack(Array(stored), count: count)
        }
    }

    // MARK: Packed: for even and odd bytes each their form, their size as eight bytes, and themselves

    private enum PlaneForm: UInt8 {
        case asIs, deflated
    }

    private static func pack(_ bytes: SharedBytes) -> [UInt8] {
        var packed: [UInt8] = []
        packed.reserveCapacity(bytes.count)
        for parity in 0..<2 {
            let plane = plane(of: bytes, parity)
            let deflated = deflate(plane)
            let isSmaller = deflated.count < plane.count
            let chosen = isSmaller ? deflated : plane
            packed.append((isSmaller ? PlaneForm.deflated : .asIs).rawValue)
            withUnsafeBytes(of: UInt64(chosen.count).littleEndian) { packed.append(contentsOf: $0) }
            packed += chosen
        }
        return packed
    }

    private static func unpack(_ packed: [UInt8], count: Int) -> SharedBytes? {
        var start = 0
        var planes: [[UInt8]] = []
        for parity in 0..<2 {
            guard packed.count - start >= 9, let form = PlaneForm(rawValue: packed[start]) else { return nil }
            let size = packed.withUnsafeBytes {
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: start + 1, as: UInt64.self))
            }
            start += 9
            guard size <= packed.count - start else { return nil }
            let part = packed[start..<start + Int(size)]
            start += Int(size)
            let planeCount = (count + 1 - parity) / 2
            switch form {
            case .asIs: planes.append(Array(part))
            case .deflated:
                guard let plane = inflate(part, count: planeCount) else { return nil }
                planes.append(plane)
            }
            guard planes[parity].count == planeCount else { return nil }
        }
        guard start == packed.count else { return nil }
        return joined(planes[0], planes[1], count: count)
    }

    private static func plane(of bytes: SharedBytes, _ parity: Int) -> [UInt8] {
        let count = (bytes.count + 1 - parity) / 2
        return [UInt8](unsafeUninitializedCapacity: count) { output, filled in
            bytes.withUnsafeBytes { bytes in
                for i in 0..<count { output[i] = bytes[2 * i + parity] }
            }
            filled = count
        }
    }

    private static func joined(_ even: [UInt8], _ odd: [UInt8], count: Int) -> SharedBytes {
        SharedBytes(count: count) { output in
            even.withUnsafeBufferPointer { even in for i in even.indices { output[2 * i] = even[i] } }
            odd.withUnsafeBufferPointer { odd in for i in odd.indices { output[2 * i + 1] = odd[i] } }
        }
    }

    // MARK: zlib

    private static func deflate(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        return withUnsafeMutablePointer(to: &stream) { stream in
            let size = Int32(MemoryLayout<z_stream>.size)
            // Huffman codes only: looking for repetitions finds none and takes twice the time.
            let started = deflateInit2_(stream, 1, Z_DEFLATED, -MAX_WBITS, 9, Z_HUFFMAN_ONLY, ZLIB_VERSION, size)
            precondition(started == Z_OK, "zlib cannot be started: \(started)")
            defer { deflateEnd(stream) }
            let bound = Int(deflateBound(stream, UInt(bytes.count)))
            return [UInt8](unsafeUninitializedCapacity: bound) { output, count in
                let result = run(stream, bytes[...], output) { CZlib.deflate($0, Z_FINISH) }
                // zlib's bound is a promise that one call is enough.
                precondition(result == Z_STREAM_END, "zlib cannot compress: \(result)")
                count = Int(stream.pointee.total_out)
            }
        }
    }

    /// Nil if these are not exactly `count` bytes, deflated.
    private static func inflate(_ bytes: ArraySlice<UInt8>, count: Int) -> [UInt8]? {
        var stream = z_stream()
        return withUnsafeMutablePointer(to: &stream) { stream in
            let started = inflateInit2_(stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            precondition(started == Z_OK, "zlib cannot be started: \(started)")
            defer { inflateEnd(stream) }
            var isWhole = false
            let inflated = [UInt8](unsafeUninitializedCapacity: count) { output, filled in
                let result = run(stream, bytes, output) { CZlib.inflate($0, Z_FINISH) }
                filled = Int(stream.pointee.total_out)
                isWhole = result == Z_STREAM_END && filled == count && stream.pointee.avail_in == 0
            }
            return isWhole ? inflated : nil
        }
    }

    private static func run(
        _ stream: UnsafeMutablePointer<z_stream>,
        _ input: ArraySlice<UInt8>,
        _ output: UnsafeMutableBufferPointer<UInt8>,
        _ call: (UnsafeMutablePointer<z_stream>) -> Int32
    ) -> Int32 {
        input.withUnsafeBufferPointer { input in
            // zlib does not write to it; its type is older than const.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            return call(stream)
        }
    }
}
