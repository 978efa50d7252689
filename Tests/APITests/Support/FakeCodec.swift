import API
import Core

/// A small byte-level vocabulary: 0...255 are the bytes, then a few longer pieces, some of which are parts of
/// characters or end within one, then two special tokens.
struct FakeCodec: TextCodec {
    static let pieces: [[UInt8]] = [
        Array("Once".utf8), Array(" upon".utf8), Array(" a".utf8), Array(" time".utf8), Array("ab".utf8),
        Array("é".utf8), Array("🦜".utf8), Array("€".utf8), [0xE2, 0x82], [0x82, 0xAC], [0xF0, 0x9F], [0xA6, 0x9C],
        Array("x\u{301}".utf8), Array("\n\n".utf8), Array("stop".utf8), Array("\"\\".utf8),
        Array("z".utf8) + [0xE2],
    ]
    static let endOfText = TokenID(256 + pieces.count)
    static let startOfText = endOfText + 1
    static let vocabularySize = Int(startOfText) + 1

    /// A special token is spelled out in text, and adds none of its own.
    let longestToken = 16

    func encode(_ text: String, isWhole: Bool, parsesSpecial: Bool) throws(TextCodecError) -> [TokenID] {
        guard text != Self.impossible else { throw TextCodecError(message: "the pattern runs wild.") }
        return parsesSpecial ? encode(text) : encodePlain(text)
    }

    func special(named name: String) -> TokenID? {
        (Self.endOfText...Self.startOfText).first { specialName(of: $0) == name }
    }

    /// A text without tokens.
    static let impossible = "\u{7}\u{7}"

    func encode(_ text: String) -> [TokenID] {
        text == "<|endoftext|>" ? [Self.endOfText] : encodePlain(text)
    }

    private func encodePlain(_ text: String) -> [TokenID] {
        var tokens: [TokenID] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.first {
            let best = Self.pieces.indices.filter { rest.starts(with: Self.pieces[$0]) }
                .max { Self.pieces[$0].count < Self.pieces[$1].count }
            tokens.append(TokenID(best.map { 256 + $0 } ?? Int(byte)))
            rest = rest.dropFirst(best.map { Self.pieces[$0].count } ?? 1)
        }
        return tokens
    }

    func appendBytes(of token: TokenID, to bytes: inout [UInt8]) {
        if token < 256 {
            bytes.append(UInt8(token))
        } else if token < Self.endOfText {
            bytes.append(contentsOf: Self.pieces[Int(token) - 256])
        }
    }

    func specialName(of token: TokenID) -> String? {
        switch token {
        case Self.endOfText: "<|endoftext|>"
        case Self.startOfText: "<|startoftext|>"
        default: nil
        }
    }

    /// The text of all tokens at once: the oracle of everything that comes in pieces.
    func decode(_ tokens: [TokenID]) -> String {
        var bytes: [UInt8] = []
        for token in tokens { appendBytes(of: token, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ServedModel {
    /// A model of four chains and 64 tokens of context over the fake vocabulary.
    static let fake = ServedModel(
        name: "catena",
        chains: 4,
        contextLength: 64,
        vocabularySize: FakeCodec.vocabularySize,
        endTokens: [FakeCodec.endOfText],
        emptyPromptToken: FakeCodec.endOfText,
        beginningToken: FakeCodec.startOfText,
        created: 1_700_000_000,
        fingerprint: "0123456789abcdef",
        quality: (1...4).map { k in
            Quality(chains: k, loss: 2 - 0.25 * Double(k), perplexity: 8 - Double(k), parameters: 1000 * k)
        }
    )
}
