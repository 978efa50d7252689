import Compression
import TestSupport
import Testing

@Suite struct GzipTests {
    private func inflate(_ pieces: [ArraySlice<UInt8>], limit: Int = 1 << 20) throws -> [UInt8] {
        let inflater = GzipInflater()
        var output: [UInt8] = []
        for piece in pieces { try inflater.inflate(Array(piece).span, into: &output, limit: limit) }
        try inflater.finish()
        return output
    }

    private func error(_ bytes: [UInt8], limit: Int = 1 << 20) -> GzipError? {
        do {
            _ = try inflate([bytes[...]], limit: limit)
            return nil
        } catch { return error as? GzipError }
    }

    private static let text = Array(String(repeating: "the quick brown fox; ", count: 3000).utf8)

    @Test(arguments: [1, 6, 9])
    func comesBack(level: Int) throws {
        var random = SeededGenerator(seed: 5)
        let noise = (0..<50_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        for bytes in [[], [0], Self.text, noise] {
            let packed = gzip(bytes, level: level)
            #expect(try inflate([packed[...]]) == bytes)
        }
        #expect(gzip(Self.text, level: level).count < 1000)
    }

    @Test func theSameBytesGiveTheSame() {
        #expect(gzip(Self.text, level: 6) == gzip(Self.text, level: 6))
    }

    @Test func mayBeCutAnywhere() throws {
        let bytes = Array(Self.text.prefix(500))
        let packed = gzip(bytes, level: 6)
        for cut in 0...packed.count { #expect(try inflate([packed[..<cut], packed[cut...]]) == bytes) }
        #expect(try inflate(packed.indices.map { packed[$0...$0] }) == bytes)
    }

    /// RFC 1952, 2.2: members follow each other.
    @Test func membersAreJoined() throws {
        let (one, two) = (gzip(Array("one".utf8), level: 6), gzip(Array("two".utf8), level: 6))
        let both = one + gzip([], level: 6) + two
        #expect(try inflate([both[...]]) == Array("onetwo".utf8))
        #expect(try inflate(both.indices.map { both[$0...$0] }) == Array("onetwo".utf8))
    }

    @Test func everyTruncationIsFound() {
        let packed = gzip(Array(Self.text.prefix(500)), level: 6)
        for count in 0..<packed.count { #expect(error(Array(packed[..<count])) == .truncated, "\(count) bytes") }
        for count in 1..<packed.count { #expect(error(packed + packed[..<count]) == .truncated, "\(count) bytes more") }
    }

    /// Each bit that matters: method, flags and checksum, lengths and data. Time, extra flags and system do not.
    @Test func everyChangedBitIsFound() {
        let text = Array("attack at dawn".utf8)
        let packed = gzip(text, level: 6)
        for index in packed.indices where !(4...9).contains(index) {
            for bit in 0..<8 {
                var changed = packed
                changed[index] ^= 1 << bit
                // Bit 0 of the flags says that the text is ASCII, which it is. The data's last byte is filled up with bits
                // that mean nothing.
                if index == 3 && bit == 0 || index == packed.count - 9 { continue }
                #expect(error(changed) != nil, "byte \(index), bit \(bit)")
            }
        }
    }

    @Test func whatFollowsIsRefused() {
        let packed = gzip(Self.text, level: 6)
        for tail in [[0], [0, 0, 0, 0], Array("GET / HTTP/1.1".utf8)] as [[UInt8]] {
            #expect([.corrupt, .truncated].contains(error(packed + tail)), "\(tail)")
        }
        #expect(error(packed + [0, 0]) == .corrupt)
        #expect(error(Array("hello".utf8)) == .corrupt)
    }

    @Test func theLimitIsExact() throws {
        let packed = gzip(Self.text, level: 6)
        #expect(try inflate([packed[...]], limit: Self.text.count) == Self.text)
        #expect(error(packed, limit: Self.text.count - 1) == .tooLarge(limit: Self.text.count - 1))
        #expect(error(packed, limit: 0) == .tooLarge(limit: 0))
    }

    /// A gigabyte of zeros in a megabyte, and the same in many members: memory stays at the limit.
    @Test func bombsStopAtTheLimit() {
        let piece = gzip([UInt8](repeating: 0, count: 16 << 20), level: 9)
        let bomb = Array((0..<64).map { _ in piece }.joined())
        let inflater = GzipInflater()
        var output: [UInt8] = []
        #expect(throws: GzipError.tooLarge(limit: 1 << 20)) {
            try inflater.inflate(bomb.span, into: &output, limit: 1 << 20)
        }
        #expect(output.count <= 1 << 20 + 1)
        #expect(output.capacity <= 4 << 20)
    }

    /// A million empty members cost no memory, and no more time than a body's limit allows.
    @Test func emptyMembersAreNothing() throws {
        let empty = gzip([], level: 6)
        let many = Array((0..<10_000).map { _ in empty }.joined())
        #expect(try inflate([many[...]], limit: 0) == [])
    }

    @Test func noiseIsRefused() {
        var random = SeededGenerator(seed: 9)
        let packed = gzip(Self.text, level: 6)
        for _ in 0..<2000 {
            var changed = packed
            for _ in 0..<4 {
                changed[Int.random(in: 10..<changed.count, using: &random)] ^= .random(in: 1...255, using: &random)
            }
            #expect(error(changed, limit: 1 << 17) != nil)
        }
    }
}
