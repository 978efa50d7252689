import ModelIO
import Testing

@testable import Tokenizer

/// Expectations are what `tokenizers` 0.23 gives.
@Suite struct AddedTokensTests {
    private func segments(_ text: String, _ tokens: [AddedToken], parseSpecial: Bool = true) -> [String] {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBufferPointer { buffer in
            AddedTokens(tokens).segments(of: buffer, parseSpecial: parseSpecial).map { segment in
                switch segment {
                case .text(let range): String(decoding: bytes[range], as: UTF8.self)
                case .token(let id): "#\(id)"
                }
            }
        }
    }

    private func token(
        _ id: Int32,
        _ content: String,
        left: Bool = false,
        right: Bool = false,
        word: Bool = false,
        normalized: Bool = false,
        special: Bool = false
    ) -> AddedToken {
        AddedToken(
            id: id,
            content: content,
            stripsLeft: left,
            stripsRight: right,
            isSingleWord: word,
            isNormalized: normalized,
            isSpecial: special
        )
    }

    @Test func leftmostThenLongest() {
        let tokens = [token(1, "ab"), token(2, "abcd"), token(3, "bcdef"), token(4, "é")]
        #expect(segments("abcdef", tokens) == ["#2", "ef"])
        #expect(segments("abcx", tokens) == ["#1", "cx"])
        #expect(segments("xbcdef", tokens) == ["x", "#3"])
        #expect(segments("ééab", tokens) == ["#4", "#4", "#1"])
        #expect(segments("", tokens) == [])
        #expect(segments("abc", []) == ["abc"])
    }

    @Test func normalizedOnesComeSecond() {
        let tokens = [token(1, "abc", normalized: true), token(2, "bc")]
        #expect(segments("abcabc", tokens) == ["a", "#2", "a", "#2"])
    }

    @Test func stripping() {
        let tokens = [token(1, "L", left: true), token(2, "R", right: true), token(3, " R")]
        #expect(segments("a \t\u{3000}L b", tokens) == ["a", "#1", " b"])
        #expect(segments("a R \u{85}\nb", tokens) == ["a", "#3", " \u{85}\nb"])
        #expect(segments("aR \u{85}\nb", tokens) == ["a", "#2", "b"])
        #expect(segments("R  L", tokens) == ["#2", "#1"])
        #expect(segments("\u{180E}L\u{200B}", tokens) == ["\u{180E}", "#1", "\u{200B}"])
    }

    /// White space that is itself full of tokens is not scanned again at each of them.
    @Test(.timeLimit(.minutes(5))) func strippingIsLinear() {
        let text = String(repeating: " ", count: 200_000) + "x"
        #expect(segments(text, [token(1, " ", left: true)]).count == 200_001)
        #expect(segments(text, [token(1, " ", right: true)]).suffix(2) == ["#1", "x"])
    }

    @Test func singleWords() {
        let tokens = [token(1, "word", word: true)]
        #expect(segments("word words sword_word word.", tokens) == ["#1", " words sword_word ", "#1", "."])
        #expect(segments("éword wordé word\u{301} ١word", tokens) == ["éword wordé word\u{301} ١word"])
        #expect(segments("½word-word", tokens) == ["½", "#1", "-", "#1"])
    }

    @Test func specialOnesCanBeForbidden() {
        let tokens = [token(1, "<s>", special: true), token(2, "s>")]
        #expect(segments("<s>s>", tokens) == ["#1", "#2"])
        // What is inside a forbidden token is not looked at again.
        #expect(segments("<s>s>", tokens, parseSpecial: false) == ["<s>", "#2"])
    }
}
