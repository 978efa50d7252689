import JSON
import TestSupport
import Testing

@testable import Tokenizer

@Suite struct StreamingDetokenizerTests {
    @Test func holdsBackIncompleteCharacters() throws {
        var detokenizer = StreamingDetokenizer(try SmallTokenizer().load())
        let pieces = try Array("h😀é".utf8).map { try detokenizer.append(Int32($0)) }
        #expect(pieces == ["h", "", "", "", "😀", "", "é"])
        #expect(detokenizer.finish() == "")
    }

    @Test func whatIsNeverCompletedIsReplaced() throws {
        var detokenizer = StreamingDetokenizer(try SmallTokenizer().load())
        #expect(try [0xF0, 0x9F, 0x98, 0x68].map { try detokenizer.append($0) } == ["", "", "", "\u{FFFD}h"])
        #expect(try [0xF0, 0x9F].map { try detokenizer.append($0) } == ["", ""])
        #expect(detokenizer.finish() == "\u{FFFD}")
        #expect(detokenizer.finish() == "")
        #expect(try detokenizer.append(259) == "hello")
    }

    @Test func specialTokensAndUnknownOnes() throws {
        let tokenizer = try SmallTokenizer().load()
        var skipping = StreamingDetokenizer(tokenizer)
        var showing = StreamingDetokenizer(tokenizer, skipSpecial: false)
        // A special token in the middle of a character disappears, and the character is whole.
        #expect(try [0xC3, 261, 0xA9].map { try skipping.append($0) } == ["", "", "é"])
        #expect(try [0xC3, 261, 0xA9].map { try showing.append($0) } == ["", "\u{FFFD}<s>", "\u{FFFD}"])
        #expect(try skipping.append(0xC3) == "")
        #expect(throws: TokenizerError.unknownToken(id: 263, vocabularySize: 263)) { try skipping.append(263) }
        #expect(try skipping.append(0xA9) == "é")
    }

    @Test(arguments: [true, false])
    func piecesMakeTheWhole(skipSpecial: Bool) throws {
        let tokenizer = try SmallTokenizer().load()
        var random = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            let ids = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? Int32.random(in: 0..<263, using: &random) : Int32.random(in: 0x80..<0x100, using: &random)
            }
            var detokenizer = StreamingDetokenizer(tokenizer, skipSpecial: skipSpecial)
            var text = ""
            for id in ids { text += try detokenizer.append(id) }
            text += detokenizer.finish()
            #expect(try ExactKey(text: text) == ExactKey(text: tokenizer.decode(ids, skipSpecial: skipSpecial)))
        }
    }
}
