import Testing

@testable import Tokenizer

@Suite struct UTF8RepairerTests {
    private func repair(_ chunks: [[UInt8]]) -> [UInt8] {
        var repairer = UTF8Repairer()
        var output: [UInt8] = []
        for chunk in chunks { repairer.append(chunk, to: &output) }
        repairer.flush(to: &output)
        return output
    }

    /// Every sequence of up to four bytes from the borders of UTF-8's ranges, against the standard library.
    @Test func agreesWithTheStandardLibrary() {
        let borders: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
            0xF0, 0xF1,
            0xF3, 0xF4, 0xF5, 0xFF,
        ]
        var mismatches = 0
        for first in borders {
            for second in borders {
                for third in borders {
                    for fourth in [0x7F, 0x80, 0xBF, 0xC2] as [UInt8] {
                        let bytes = [first, second, third, fourth]
                        let expected = Array(String(decoding: bytes, as: UTF8.self).utf8)
                        if repair([bytes]) != expected { mismatches += 1 }
                    }
                }
            }
        }
        #expect(mismatches == 0)
    }

    /// Where the bytes are cut makes no difference, and what is given out is never taken back.
    @Test func cutsMakeNoDifference() {
        let bytes: [UInt8] = Array("aé漢😀".utf8) + [0xE6, 0xBC] + Array("b".utf8) + [0xF0, 0x9F, 0x98]
        let whole = repair([bytes])
        #expect(String(decoding: whole, as: UTF8.self) == "aé漢😀\u{FFFD}b\u{FFFD}")
        #expect(repair(bytes.map { [$0] }) == whole)
        for cut in bytes.indices { #expect(repair([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole) }
    }
}
