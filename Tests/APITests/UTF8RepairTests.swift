import Testing

@testable import API

@Suite struct UTF8RepairTests {
    private func repaired(_ bytes: [UInt8]) -> [UInt8] {
        var repair = UTF8Repair()
        var text: [UInt8] = []
        for byte in bytes { repair.append(byte, to: &text) }
        repair.finish(to: &text)
        return text
    }

    @Test(
        arguments: [
            ([0x41, 0xE2, 0x82, 0xAC], "A€"),
            ([0xE2, 0x82], "\u{FFFD}"),
            ([0xE2, 0x82, 0x41], "\u{FFFD}A"),
            ([0x80, 0x80], "\u{FFFD}\u{FFFD}"),
            ([0xC0, 0xAF], "\u{FFFD}\u{FFFD}"),
            ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xF0, 0x80, 0x80, 0x41], "\u{FFFD}\u{FFFD}\u{FFFD}A"),
            ([0xF1, 0x80, 0x80, 0xE1, 0x80, 0xC2, 0x62], "\u{FFFD}\u{FFFD}\u{FFFD}b"),
            ([0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ] as [([UInt8], String)]
    )
    func repairs(bytes: [UInt8], expected: String) {
        #expect(repaired(bytes) == Array(expected.utf8))
    }

    /// Byte by byte gives what the standard library gives for all bytes at once, over bytes that are likely to meet.
    @Test func equalsDecodingAtOnce() {
        var random = SeededGenerator(seed: 4)
        let bytes: [UInt8] = [
            0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
            0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for _ in 0..<50_000 {
            let text = (0..<Int.random(in: 0...8, using: &random)).map { _ in bytes.randomElement(using: &random)! }
            #expect(repaired(text) == Array(String(decoding: text, as: UTF8.self).utf8), "\(text)")
        }
    }

    /// What is handed out is valid at every moment, so a chunk can end anywhere.
    @Test func neverEndsWithinACharacter() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            var repair = UTF8Repair()
            var text: [UInt8] = []
            for _ in 0..<8 {
                repair.append(UInt8.random(in: 0x60...0xFF, using: &random), to: &text)
                #expect(String(validating: text, as: UTF8.self) != nil)
            }
        }
    }
}
