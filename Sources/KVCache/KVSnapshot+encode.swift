import Tensor

extension KVSnapshot {
    /// The snapshot as bytes. The same session always gives the same bytes.
    ///
    /// Copies the payload, so two copies of it are alive for a while: meant for a background queue.
    public func encoded() -> SharedBytes {
        let header = header()
        return SharedBytes(count: header.count + blocks.count + Self.checksumBytes) { bytes in
            bytes.copyBytes(from: header)
            blocks.withUnsafeBytes { blocks in
                UnsafeMutableRawBufferPointer(rebasing: bytes[header.count...]).copyMemory(from: blocks)
                bytes.storeBytes(
                    of: checksum(blocks).littleEndian,
                    toByteOffset: header.count + blocks.count,
                    as: UInt32.self
                )
            }
        }
    }

    /// All before the payload.
    private func header() -> [UInt8] {
        let texts = [model, name, salt ?? ""].map { Array($0.utf8) }
        let headerBytes =
            Self.fixedHeaderBytes + texts.reduce(0) { $0 + $1.count } + tokens.count * MemoryLayout<Int32>.size
            + Self.checksumBytes
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerBytes)

        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        bytes += Self.magic
        append(Self.formatVersion)
        append(UInt32(headerBytes))
        append(UInt64(blocks.count))
        append(layout.type.snapshotCode)
        for extent in [layout.layers, layout.kvHeads, layout.headSize, layout.blockTokens] { append(UInt32(extent)) }
        append(created)
        append(UInt32(tokens.count))
        append(UInt32(computedTokens))
        append(UInt32(texts[0].count))
        append(UInt32(texts[1].count))
        append(salt == nil ? Self.noSalt : UInt32(texts[2].count))
        assert(bytes.count == Self.fixedHeaderBytes)
        for text in texts { bytes += text }
        for token in tokens { append(token) }
        append(bytes.withUnsafeBytes { checksum($0) })
        return bytes
    }
}
