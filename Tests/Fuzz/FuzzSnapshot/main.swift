// A session's snapshot: any bytes are an error, or a snapshot that holds what was expected of it and is written again as the
// same bytes.

import Fuzzing
import Tensor

@testable import KVCache

let layout = BlockLayout(layers: 1, kvHeads: 1, headSize: 2, type: .bf16)

/// Checksums made right, as they stop nearly every input otherwise: whoever can write a file can write those. The last
/// bit of the input decides, so that wrong ones are tried too.
func mended(_ input: [UInt8]) -> [UInt8] {
    func number(at offset: Int) -> Int {
        input[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    guard input.count >= 80, input.last.map({ $0 & 1 == 0 }) == true else { return input }
    let headerBytes = number(at: 12)
    guard headerBytes >= 4, headerBytes <= input.count else { return input }
    var bytes = input
    func mend(_ range: Range<Int>) {
        guard range.count >= 4 else { return }
        let end = range.upperBound - 4
        let sum = bytes[range.lowerBound..<end].withUnsafeBytes { checksum($0) }
        for place in 0..<4 { bytes[end + place] = UInt8(truncatingIfNeeded: sum >> (place * 8)) }
    }
    mend(0..<headerBytes)
    mend(headerBytes..<input.count)
    return bytes
}

fuzz { input in
    let bytes = SharedBytes(mended(input))
    for salt in [nil, "t"] {
        let expectation = KVSnapshot.Expectation(
            name: "s",
            salt: salt,
            model: "m",
            layout: layout,
            vocabularySize: 100,
            maxTokens: 64
        )
        guard let snapshot = try? KVSnapshot(decoding: bytes, as: expectation) else { continue }
        precondition(snapshot.name == "s" && snapshot.salt == salt && snapshot.model == "m", "another's snapshot")
        precondition(snapshot.tokens.count <= 64 && snapshot.tokens.allSatisfy { (0..<100).contains($0) }, "odd tokens")
        precondition(snapshot.computedTokens <= snapshot.tokens.count, "more computed than there are")
        precondition(
            snapshot.blocks.count == layout.blocks(for: snapshot.computedTokens) * layout.blockBytes,
            "blocks that do not fit their tokens"
        )
        precondition(snapshot.encoded() == bytes, "written otherwise than it was read")
    }
}
