// The snapshot format: what goes in comes out, and what was touched does not.

import Tensor
import TestSupport
import Testing

@testable import KVCache

@Suite struct KVSnapshotTests {
    static let layout = BlockLayout(layers: 1, kvHeads: 1, headSize: 2, type: .bf16)

    /// 17 of 19 tokens computed: one full block and one with a single token.
    static let small = KVSnapshot(
        name: "chat-7",
        salt: "tenant",
        model: "colm-air sha256:00ff",
        layout: layout,
        created: 1_764_000_000,
        tokens: (0..<19).map { $0 * 3 },
        computedTokens: 17,
        blocks: SharedBytes((0..<2 * layout.blockBytes).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) })
    )

    static func expectation(of snapshot: KVSnapshot) -> KVSnapshot.Expectation {
        .init(
            name: snapshot.name,
            salt: snapshot.salt,
            model: snapshot.model,
            layout: snapshot.layout,
            vocabularySize: 100,
            maxTokens: 64
        )
    }

    private let expectation = KVSnapshotTests.expectation(of: KVSnapshotTests.small)

    private func error(_ bytes: [UInt8], as expectation: KVSnapshot.Expectation? = nil) -> KVSnapshotError? {
        do throws(KVSnapshotError) {
            _ = try KVSnapshot(decoding: SharedBytes(bytes), as: expectation ?? self.expectation)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Round trips

    @Test func whatIsEncodedIsDecoded() throws {
        #expect(try KVSnapshot(decoding: Self.small.encoded(), as: expectation) == Self.small)
    }

    @Test(arguments: [nil, "", "tenant", "日本"])
    func everySaltAndNothingComputedComeBack(salt: String?) throws {
        var snapshot = Self.small
        snapshot.salt = salt
        snapshot.name = "ünïcode"
        snapshot.tokens = []
        snapshot.computedTokens = 0
        snapshot.blocks = []
        snapshot.created = -5
        let decoded = try KVSnapshot(decoding: snapshot.encoded(), as: Self.expectation(of: snapshot))
        #expect(decoded == snapshot)
    }

    /// The format is a promise to files that exist: a change here needs a new version.
    @Test func theBytesAreTheDocumentedOnes() {
        var snapshot = Self.small
        snapshot.tokens = [1, 2]
        snapshot.computedTokens = 1
        snapshot.blocks = SharedBytes(Array(repeating: 0xAB, count: 128))
        let bytes = snapshot.encoded()
        var expected = Array("CATENAKV".utf8)
        expected += [2, 0, 0, 0, 116, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0]  // version, header, payload
        expected += [2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0]  // bf16, 1 layer, 1 head of 2, 16
        expected += [0x00, 0x81, 0x24, 0x69, 0, 0, 0, 0]  // 1,764,000,000 s
        expected += [2, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 6, 0, 0, 0, 6, 0, 0, 0]  // counts of tokens and text bytes
        expected += Array("colm-air sha256:00ffchat-7tenant".utf8) + [1, 0, 0, 0, 2, 0, 0, 0]
        #expect(Array(bytes.prefix(112)) == expected)
        #expect(bytes.count == 116 + 128 + 4)
        let sums = [
            expected.withUnsafeBytes { checksum($0) },
            Array(repeating: UInt8(0xAB), count: 128).withUnsafeBytes { checksum($0) },
        ]
        #expect(bytes[112..<116].elementsEqual(withUnsafeBytes(of: sums[0].littleEndian) { Array($0) }))
        #expect(bytes.suffix(4).elementsEqual(withUnsafeBytes(of: sums[1].littleEndian) { Array($0) }))
        // The check value that catalogues of CRCs give for "123456789".
        #expect(Array("123456789".utf8).withUnsafeBytes { checksum($0) } == 0xCBF4_3926)
    }

    @Test(arguments: BlockPoolTests.layouts, [1, 15, 16, 17, 31, 32, 40])
    func aPoolRestoresTheSameBytes(layout: BlockLayout, tokens: Int) throws {
        var random = SeededGenerator(seed: UInt64(tokens))
        let pool = BlockPool(layout: layout, blocks: 4)
        var table = BlockTable()
        #expect(pool.append(tokens, to: &table))
        writeRandomTokens(tokens, table, pool, using: &random)
        let before = table.blocks.map { Array(pool.bytes(of: $0)) }

        let snapshot = KVSnapshot(
            name: "s",
            salt: nil,
            model: "m",
            layout: layout,
            created: 0,
            tokens: Array(repeating: 1, count: tokens + 2),
            computedTokens: tokens,
            blocks: pool.copyBlocks(of: table, tokens: tokens)
        )
        let decoded = try KVSnapshot(decoding: snapshot.encoded(), as: Self.expectation(of: snapshot))
        let other = BlockPool(layout: layout, blocks: 5)
        var noise = BlockTable()
        #expect(other.append(layout.blockTokens, to: &noise))
        let restored = try #require(other.restore(decoded.blocks, tokens: decoded.computedTokens))
        #expect(restored.tokenCount == tokens && restored.publishedBlocks == 0)
        #expect(restored.blocks.map { Array(other.bytes(of: $0)) } == before)
    }

    /// What a table has forgotten may be another's: it must not reach a snapshot.
    @Test(arguments: BlockPoolTests.layouts)
    func forgottenTokensAreNotInASnapshot(layout: BlockLayout) throws {
        var random = SeededGenerator(seed: 1)
        let pool = BlockPool(layout: layout, blocks: 8)
        var (long, short) = (BlockTable(), BlockTable())
        try #require(pool.append(40, to: &long) && pool.append(21, to: &short))
        writeRandomTokens(40, long, pool, using: &random)
        random = SeededGenerator(seed: 1)
        writeRandomTokens(21, short, pool, using: &random)
        let clean = pool.copyBlocks(of: short, tokens: 21)
        #expect(pool.copyBlocks(of: long, tokens: 21) == clean)
        pool.release(&short)

        // Nor do they come back from bytes that hold them.
        let dirty = pool.copyBlocks(of: long, tokens: 40).prefix(clean.count)
        let restored = try #require(pool.restore(dirty, tokens: 21))
        #expect(restored.blocks.flatMap { Array(pool.bytes(of: $0)) } == Array(clean))
    }

    @Test func restoringWithoutBlocksChangesNothing() {
        let pool = BlockPool(layout: Self.layout, blocks: 2)
        var table = BlockTable()
        #expect(pool.append(1, to: &table))
        #expect(pool.restore(Self.small.blocks, tokens: 17) == nil)
        #expect(pool.usedBlocks == 1 && pool.freeBlocks == 1)
    }

    // MARK: Damage

    @Test func everyWrongByteIsFound() {
        var bytes = Array(Self.small.encoded())
        #expect(error(bytes) == nil)
        for offset in bytes.indices {
            let right = bytes[offset]
            for change in UInt8(1)...255 {
                bytes[offset] = right ^ change
                guard error(bytes) != nil else {
                    Issue.record("byte \(offset) changed by \(change) was not found")
                    return
                }
            }
            bytes[offset] = right
        }
    }

    @Test func everyTruncationAndEveryAdditionIsFound() {
        let bytes = Array(Self.small.encoded())
        for count in 0..<bytes.count {
            guard case .truncated(let expected, count)? = error(Array(bytes.prefix(count))) else {
                Issue.record("\(count) bytes: \(String(describing: error(Array(bytes.prefix(count)))))")
                return
            }
            #expect(expected > count && expected <= bytes.count)
        }
        #expect(error(bytes + [0]) == .trailingBytes(1))
        #expect(error(bytes + bytes) == .trailingBytes(bytes.count))
    }

    @Test func damageIsNamed() {
        let bytes = Array(Self.small.encoded())
        func changed(_ offset: Int, to byte: UInt8) -> KVSnapshotError? {
            var bytes = bytes
            bytes[offset] = byte
            return error(bytes)
        }
        #expect(changed(0, to: 0) == .notASnapshot)
        #expect(changed(8, to: 1) == .otherVersion(found: 1, supported: 2))
        #expect(changed(8, to: 3) == .otherVersion(found: 3, supported: 2))
        #expect(changed(80, to: 0xFF) == .corrupted(.header))
        #expect(changed(bytes.count - 5, to: 0xFF) == .corrupted(.payload))
        #expect(changed(bytes.count - 1, to: 0xEE) == .corrupted(.payload))
        #expect(changed(15, to: 0xFF) == .truncated(expected: 0xFF00_0000 + UInt64(bytes[12]), found: bytes.count))
        #expect(error(Array("GGUF and so on".utf8)) == .notASnapshot)
    }

    // MARK: Sums of what has come

    private func error(_ bytes: SharedBytes, summed sum: PayloadChecksum) -> KVSnapshotError? {
        do throws(KVSnapshotError) {
            let snapshot = try KVSnapshot(decoding: bytes, as: expectation, summed: sum)
            return snapshot == Self.small ? nil : .notASnapshot
        } catch {
            return error
        }
    }

    /// The sum of bytes that come so many at a time, of which `until` have come.
    private func sum(_ bytes: SharedBytes, step: Int, until: Int) -> PayloadChecksum {
        var sum = PayloadChecksum()
        for end in stride(from: 0, to: until, by: step) { sum.update(bytes[..<end]) }
        sum.update(bytes[..<until])
        return sum
    }

    @Test(arguments: [1, 7, 64, 100, 1000])
    func aSumIsContinuedWhereverItStopped(step: Int) {
        let bytes = Self.small.encoded()
        for until in 0...bytes.count { #expect(error(bytes, summed: sum(bytes, step: step, until: until)) == nil) }
        let header = Int(bytes[12])
        #expect(sum(bytes, step: step, until: bytes.count).range == header..<bytes.count - 4)
        for offset in header..<bytes.count {
            var damaged = Array(bytes)
            damaged[offset] ^= 0x10
            let shared = SharedBytes(damaged)
            #expect(error(shared, summed: sum(shared, step: step, until: bytes.count)) == .corrupted(.payload))
        }
    }

    /// A sum that is of other bytes can only refuse what is right.
    @Test func aSumOfOtherBytesLetsNothingPass() {
        let bytes = Self.small.encoded()
        var other = Self.small
        other.blocks = SharedBytes(Self.small.blocks.map { $0 ^ 1 })
        #expect(error(other.encoded(), summed: sum(bytes, step: 50, until: bytes.count)) == .corrupted(.payload))
        #expect(error(bytes, summed: sum(other.encoded(), step: 50, until: 200)) == .corrupted(.payload))
        // Whose payload begins or ends elsewhere is not used at all.
        other.name = "longer than the other one"
        #expect(error(bytes, summed: sum(other.encoded(), step: 50, until: other.encoded().count)) == nil)
        var longer = Array(bytes)
        longer += Array(repeating: 0, count: 500)
        #expect(error(bytes, summed: sum(SharedBytes(longer), step: 50, until: longer.count)) == nil)
        // Nor is one that says it begins behind the end.
        longer[15] = 0xFF
        #expect(sum(SharedBytes(longer), step: 50, until: longer.count).range == nil)
        // And a new beginning forgets it.
        var sum = sum(other.encoded(), step: 50, until: 200)
        sum.update([])
        #expect(sum == PayloadChecksum())
    }

    // MARK: Another's

    @Test func whatIsNotExpectedIsRefusedByName() {
        func error(_ change: (inout KVSnapshot.Expectation) -> Void) -> KVSnapshotError? {
            var other = expectation
            change(&other)
            return self.error(Array(Self.small.encoded()), as: other)
        }
        #expect(error { $0.model = "other" } == .foreignModel(found: Self.small.model, expected: "other"))
        #expect(error { $0.name = "Chat-7" } == .otherSession(found: "chat-7", expected: "Chat-7"))
        #expect(error { $0.salt = nil } == .otherTenant && error { $0.salt = "" } == .otherTenant)
        #expect(error { $0.maxTokens = 18 } == .tooManyTokens(found: 19, limit: 18))
        #expect(error { $0.vocabularySize = 54 } == .unknownToken(54, position: 18, vocabularySize: 54))
        let shape = "bf16, 1 layers, 1 KV heads of 2, 16 tokens a block"
        for (layout, text) in [
            (BlockLayout(layers: 2, kvHeads: 1, headSize: 2, type: .bf16), "bf16, 2 layers, 1 KV heads of 2, 16"),
            (BlockLayout(layers: 1, kvHeads: 2, headSize: 2, type: .bf16), "bf16, 1 layers, 2 KV heads of 2, 16"),
            (BlockLayout(layers: 1, kvHeads: 1, headSize: 4, type: .bf16), "bf16, 1 layers, 1 KV heads of 4, 16"),
            (
                BlockLayout(layers: 1, kvHeads: 1, headSize: 2, blockTokens: 32, type: .bf16),
                "bf16, 1 layers, 1 KV heads of 2, 32"
            ),
            (BlockLayout(layers: 1, kvHeads: 1, headSize: 2), "f32, 1 layers, 1 KV heads of 2, 16"),
        ] {
            #expect(error { $0.layout = layout } == .foreignLayout(found: shape, expected: text + " tokens a block"))
        }
    }

    /// Texts that Swift calls equal are not the same name.
    @Test func namesAreComparedByteByByte() {
        var snapshot = Self.small
        snapshot.name = "\u{E9}"
        var other = Self.expectation(of: snapshot)
        other.name = "e\u{301}"
        #expect(error(Array(snapshot.encoded()), as: other) == .otherSession(found: "\u{E9}", expected: "e\u{301}"))
    }

    // MARK: Right checksums, wrong contents

    /// The small snapshot with a field of the header overwritten and the checksum made right again.
    private func forged(_ offset: Int, _ field: some FixedWidthInteger) -> [UInt8] {
        var bytes = Array(Self.small.encoded())
        withUnsafeBytes(of: field.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
        let header = Int(bytes[12]) - 4
        let sum = bytes[..<header].withUnsafeBytes { checksum($0) }
        withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(header..<header + 4, with: $0) }
        return bytes
    }

    @Test func absurdSizesAllocateNothing() {
        let bytes = Self.small.encoded()
        #expect(error(forged(16, UInt64.max)) == .malformed("a payload of 18446744073709551615 bytes"))
        #expect(
            error(forged(16, UInt64(1) << 62))
                == .truncated(expected: UInt64(1) << 62 + UInt64(bytes[12]) + 4, found: bytes.count)
        )
        #expect(error(forged(16, UInt64(255))) == .trailingBytes(1))
        for (offset, what) in [(52, "tokens"), (60, "model"), (64, "name"), (68, "salt")] {
            guard case .malformed(let problem)? = error(forged(offset, UInt32.max - 1)) else {
                Issue.record("\(what)")
                continue
            }
            #expect(problem.hasPrefix("its texts and tokens take "))
        }
        #expect(error(forged(56, UInt32(20))) == .malformed("20 computed tokens of 19"))
        #expect(error(forged(56, UInt32(16))) == .malformed("256 bytes of payload, but 16 tokens take 128"))
    }

    @Test func impossibleFieldsAreRefused() {
        for (offset, what) in [(24, "type 9"), (28, "9 layers"), (32, "9 KV heads"), (36, "of 9"), (40, "9 tokens")] {
            guard case .foreignLayout(let found, _)? = error(forged(offset, UInt32(9))) else {
                Issue.record("\(what)")
                continue
            }
            #expect(found.contains(what))
        }
        #expect(error(forged(72, UInt8(0xFF))) == .malformed("a text is not UTF-8"))
        #expect(error(forged(104, Int32(-1))) == .unknownToken(-1, position: 0, vocabularySize: 100))
        // A header that says it ends inside its fixed part.
        var bytes = Array(Self.small.encoded())
        bytes[12] = 75
        #expect(error(bytes) == .malformed("a header of 75 bytes"))
    }

    @Test func everyErrorSaysWhatIsWrong() {
        let texts: [(KVSnapshotError, String)] = [
            (.otherVersion(found: 0, supported: 1), "version 0, older than 1"),
            (.otherVersion(found: 2, supported: 1), "version 2, newer than 1"),
            (.truncated(expected: 9, found: 3), "3 bytes, expected 9 at least"),
            (.foreignModel(found: "a", expected: "b"), "made with the model a; this server runs b"),
            (.corrupted(.payload), "the checksum of its payload is wrong"),
        ]
        for (error, text) in texts { #expect(error.description.contains(text)) }
    }

    /// Writes elements of the first `count` tokens, and nothing else.
    private func writeRandomTokens(
        _ count: Int,
        _ table: BlockTable,
        _ pool: BlockPool,
        using random: inout SeededGenerator
    ) {
        let layout = pool.layout
        for position in 0..<count {
            let bytes = pool.bytes(of: table.blocks[position / layout.blockTokens])
            let slot = position % layout.blockTokens
            for layer in 0..<layout.layers {
                for head in 0..<layout.kvHeads {
                    for dimension in 0..<layout.headSize {
                        let key = layout.keyElement(slot: slot, dimension: dimension) * layout.type.byteCount
                        let value = layout.valueElement(slot: slot, dimension: dimension) * layout.type.byteCount
                        for byte in 0..<layout.type.byteCount {
                            bytes[layout.keyOffset(layer: layer, head: head) + key + byte] = random.nonZeroByte()
                            bytes[layout.valueOffset(layer: layer, head: head) + value + byte] = random.nonZeroByte()
                        }
                    }
                }
            }
        }
    }
}

extension SeededGenerator {
    fileprivate mutating func nonZeroByte() -> UInt8 { UInt8.random(in: 1...255, using: &self) }
}
