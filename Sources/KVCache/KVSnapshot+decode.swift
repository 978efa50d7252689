// Bytes to a snapshot. The bytes may be anything: a disk, another version or another program made them.

import Tensor

extension KVSnapshot {
    /// Checks the bytes and takes them apart. Nothing is allocated but the texts and the tokens, whose sizes are those of
    /// the bytes that are there; the blocks stay where they are.
    ///
    /// - Parameter sum: of these very bytes, as far as it was computed while they came.
    /// - Throws: ``KVSnapshotError``, the first thing wrong in the order magic, version, checksum of the header, length,
    ///   whose snapshot it is, checksum of the payload.
    public init(
        decoding bytes: SharedBytes,
        as expectation: Expectation,
        summed sum: PayloadChecksum = PayloadChecksum()
    ) throws(KVSnapshotError) {
        precondition(bytes.startIndex == 0, "a part of other bytes")
        try Self.checkStart(bytes)
        let headerBytes = Int(Self.load(bytes, at: 12) as UInt32)
        guard headerBytes >= Self.fixedHeaderBytes + Self.checksumBytes else {
            throw .malformed("a header of \(headerBytes) bytes")
        }
        guard headerBytes <= bytes.count else { throw .truncated(expected: UInt64(headerBytes), found: bytes.count) }
        try Self.check(.header, bytes[..<headerBytes])
        let header = try Header(Array(bytes[..<(headerBytes - Self.checksumBytes)]))

        let (total, overflows) = header.payloadBytes.addingReportingOverflow(UInt64(headerBytes + Self.checksumBytes))
        guard !overflows else { throw .malformed("a payload of \(header.payloadBytes) bytes") }
        guard total <= bytes.count else { throw .truncated(expected: total, found: bytes.count) }
        guard total == bytes.count else { throw .trailingBytes(bytes.count - Int(total)) }

        try header.check(against: expectation)
        try Self.check(.payload, bytes[headerBytes...], summed: sum)
        self.init(
            name: header.name,
            salt: header.salt,
            model: header.model,
            layout: expectation.layout,
            created: header.created,
            tokens: header.tokens,
            computedTokens: header.computedTokens,
            blocks: bytes[headerBytes..<(bytes.count - Self.checksumBytes)]
        )
    }

    /// Where the blocks are in a snapshot that is on its way, once its header is there.
    ///
    /// - Returns: nil as long as the header is not all there, and for a snapshot that is refused whatever follows.
    public static func blocks(inStart bytes: SharedBytes, as expectation: Expectation) -> ArrivingBlocks? {
        guard bytes.startIndex == 0, (try? checkStart(bytes)) != nil else { return nil }
        let headerBytes = Int(load(bytes, at: 12) as UInt32)
        guard headerBytes >= fixedHeaderBytes + checksumBytes, headerBytes <= bytes.count,
            (try? check(.header, bytes[..<headerBytes])) != nil,
            let header = try? Header(Array(bytes[..<(headerBytes - checksumBytes)])),
            (try? header.check(against: expectation)) != nil
        else { return nil }
        return ArrivingBlocks(start: headerBytes, tokens: header.computedTokens)
    }

    /// What is known of the blocks of a snapshot that is on its way.
    public struct ArrivingBlocks: Sendable, Hashable {
        /// Where the first one begins.
        public let start: Int
        /// Of all blocks together.
        public let tokens: Int
    }

    /// Magic and version, which come first in every version, and the rest of the header that has a fixed place.
    private static func checkStart(_ bytes: SharedBytes) throws(KVSnapshotError) {
        guard bytes.prefix(magic.count).elementsEqual(magic.prefix(bytes.count)) else { throw .notASnapshot }
        guard bytes.count >= 12 else { throw .truncated(expected: 12, found: bytes.count) }
        let version: UInt32 = load(bytes, at: 8)
        guard version == formatVersion else { throw .otherVersion(found: version, supported: formatVersion) }
        guard bytes.count >= fixedHeaderBytes + checksumBytes else {
            throw .truncated(expected: UInt64(fixedHeaderBytes + checksumBytes), found: bytes.count)
        }
    }

    /// Compares the last four bytes with the checksum of all before them, of which `sum` has the first ones.
    private static func check(
        _ section: KVSnapshotError.Section,
        _ bytes: SharedBytes,
        summed sum: PayloadChecksum = PayloadChecksum()
    ) throws(KVSnapshotError) {
        let end = bytes.endIndex - checksumBytes
        // A sum of other bytes is none.
        let done = sum.range.flatMap { $0.lowerBound == bytes.startIndex && $0.upperBound <= end ? $0.upperBound : nil }
        let found = bytes[(done ?? bytes.startIndex)..<end].withUnsafeBytes { rest in
            checksum(rest, from: done == nil ? 0 : sum.value)
        }
        guard found == load(bytes, at: end) else { throw .corrupted(section) }
    }

    static func load<Value: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: SharedBytes,
        at index: Int
    ) -> Value {
        bytes[index..<index + MemoryLayout<Value>.size].withUnsafeBytes {
            Value(littleEndian: $0.loadUnaligned(as: Value.self))
        }
    }
}

/// The header's fields as they stand there, in the order of their bytes.
private struct Header {
    let payloadBytes: UInt64
    private let typeCode: UInt32
    /// Layers, KV heads, head size, tokens of a block.
    private let extents: [UInt32]
    let created: Int64
    let computedTokens: Int
    let model: String
    let name: String
    let salt: String?
    let tokens: [Int32]

    /// - Parameter bytes: the header without its checksum, which was right; not shorter than its fixed part
    init(_ bytes: [UInt8]) throws(KVSnapshotError) {
        var offset = 16
        func take<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type = Value.self) -> Value {
            defer { offset += MemoryLayout<Value>.size }
            return bytes.withUnsafeBytes {
                Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self))
            }
        }
        payloadBytes = take()
        typeCode = take()
        extents = [take(), take(), take(), take()]
        created = take()
        let tokenCount = Int(take(UInt32.self))
        computedTokens = Int(take(UInt32.self))
        let modelBytes = Int(take(UInt32.self))
        let nameBytes = Int(take(UInt32.self))
        let saltField = take(UInt32.self)
        let saltBytes = saltField == KVSnapshot.noSalt ? 0 : Int(saltField)

        // Each is below 2^34, so the sum cannot overflow.
        let size = KVSnapshot.fixedHeaderBytes + modelBytes + nameBytes + saltBytes + tokenCount * 4
        guard size == bytes.count else {
            throw .malformed("its texts and tokens take \(size) bytes, but it has \(bytes.count)")
        }
        guard computedTokens <= tokenCount else {
            throw .malformed("\(computedTokens) computed tokens of \(tokenCount)")
        }
        func takeText(_ count: Int) -> String? {
            defer { offset += count }
            return String(validating: bytes[offset..<offset + count], as: UTF8.self)
        }
        guard let model = takeText(modelBytes), let name = takeText(nameBytes), let salt = takeText(saltBytes) else {
            throw .malformed("a text is not UTF-8")
        }
        self.model = model
        self.name = name
        self.salt = saltField == KVSnapshot.noSalt ? nil : salt
        tokens = (0..<tokenCount).map { _ in take() }
    }

    func check(against expectation: KVSnapshot.Expectation) throws(KVSnapshotError) {
        guard isSame(model, expectation.model) else {
            throw .foreignModel(found: model, expected: expectation.model)
        }
        let layout = expectation.layout
        let expected = [layout.layers, layout.kvHeads, layout.headSize, layout.blockTokens].map { UInt32($0) }
        guard extents == expected && typeCode == layout.type.snapshotCode else {
            throw .foreignLayout(
                found: describe(extents, typeCode),
                expected: describe(expected, layout.type.snapshotCode)
            )
        }
        guard isSame(name, expectation.name) else { throw .otherSession(found: name, expected: expectation.name) }
        switch (salt, expectation.salt) {
        case (nil, nil): break
        case (let found?, let expected?) where isSame(found, expected): break
        default: throw .otherTenant
        }
        guard tokens.count <= expectation.maxTokens else {
            throw .tooManyTokens(found: tokens.count, limit: expectation.maxTokens)
        }
        if let position = tokens.firstIndex(where: { $0 < 0 || $0 >= expectation.vocabularySize }) {
            throw .unknownToken(tokens[position], position: position, vocabularySize: expectation.vocabularySize)
        }
        let needed = layout.blocks(for: computedTokens) * layout.blockBytes
        guard payloadBytes == needed else {
            throw .malformed("\(payloadBytes) bytes of payload, but \(computedTokens) tokens take \(needed)")
        }
    }

    /// Swift calls texts equal whose bytes differ; here the bytes count.
    private func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

    private func describe(_ extents: [UInt32], _ typeCode: UInt32) -> String {
        let type = ElementType.allCases.first { $0.snapshotCode == typeCode }.map { "\($0)" } ?? "type \(typeCode)"
        return "\(type), \(extents[0]) layers, \(extents[1]) KV heads of \(extents[2]), \(extents[3]) tokens a block"
    }
}
