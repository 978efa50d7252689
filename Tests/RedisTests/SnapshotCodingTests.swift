import Tensor
import TestSupport
import Testing

@testable import Redis

@Suite struct SnapshotCodingTests {
    private func bytes(_ count: Int, seed: UInt64, highBytes: Range<UInt8>) -> SharedBytes {
        var random = SeededGenerator(seed: seed)
        return SharedBytes(
            (0..<count).map { i in
                i.isMultiple(of: 2)
                    ? .random(in: .min ... .max, using: &random) : .random(in: highBytes, using: &random)
            }
        )
    }

    @Test(arguments: [0, 1, 2, 3, 1000, 1001, 100_000])
    func packedBytesComeBack(count: Int) {
        let original = bytes(count, seed: 1, highBytes: 60..<64)
        let (coding, stored) = SnapshotCoding.encode(original, packing: true)
        #expect(coding == (count > 100 ? .packed : .raw))
        #expect(coding.decode(stored, count: count) == original)
    }

    /// Half of the bytes are noise and the others one of four: the least is 8 + 2 of 16 bits.
    @Test func onlyTheHighBytesShrink() {
        let original = bytes(200_000, seed: 2, highBytes: 60..<64)
        let stored = SnapshotCoding.encode(original, packing: true).bytes
        #expect(stored.count > 120_000 && stored.count < 130_000)
    }

    @Test func noiseStaysAsItIs() {
        let noise = bytes(10_000, seed: 3, highBytes: 0..<255)
        let (coding, stored) = SnapshotCoding.encode(noise, packing: true)
        #expect(coding == .raw && stored == noise)
        #expect(SnapshotCoding.encode(bytes(10_000, seed: 3, highBytes: 1..<2), packing: false).coding == .raw)
    }

    @Test func damageIsNoticedOrHarmless() {
        let original = bytes(4000, seed: 4, highBytes: 60..<64)
        let stored = SnapshotCoding.encode(original, packing: true).bytes
        for length in 0..<stored.count {
            #expect(SnapshotCoding.packed.decode(stored[..<length], count: 4000) == nil)
        }
        #expect(SnapshotCoding.packed.decode(SharedBytes(stored + [0]), count: 4000) == nil)
        for count in [0, 1, 3998, 3999, 4001, 1 << 20] {
            #expect(SnapshotCoding.packed.decode(stored, count: count) == nil)
        }
        #expect(SnapshotCoding.raw.decode(stored, count: stored.count - 1) == nil)
        var random = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            var damaged = Array(stored)
            damaged[.random(in: 0..<damaged.count, using: &random)] = .random(in: .min ... .max, using: &random)
            if let decoded = SnapshotCoding.packed.decode(SharedBytes(damaged), count: 4000) {
                #expect(decoded.count == 4000)
            }
        }
    }
}
