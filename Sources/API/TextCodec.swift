import Core

/// Text to tokens and back: what the API needs of a tokenizer. Calls come from any thread.
public protocol TextCodec: Sendable {
    /// The tokens of a text.
    /// - Parameters:
    ///   - isWhole: whether the text is a prompt from its beginning, so that a model which wants a beginning-of-text token
    ///     gets it; false for a text that continues other tokens.
    ///   - parsesSpecial: whether special tokens spelled out in the text become themselves, instead of text like any other.
    /// - Throws: for a text that cannot be cut into tokens within bounds.
    func encode(_ text: String, isWhole: Bool, parsesSpecial: Bool) throws(TextCodecError) -> [TokenID]

    /// The special token of this name; nil if there is none.
    func special(named name: String) -> TokenID?

    /// The most bytes of text that one token stands for.
    var longestToken: Int { get }

    /// Appends the bytes that a token adds to the text: often part of a word, sometimes part of a character.
    /// Special tokens (end of text and the like) add nothing.
    func appendBytes(of token: TokenID, to bytes: inout [UInt8])

    /// The name of a special token (`<|endoftext|>`), nil for all others. Lists of log probabilities show it.
    func specialName(of token: TokenID) -> String?
}

/// Why a text has no tokens.
public struct TextCodecError: Error, Sendable, Hashable {
    /// What was wrong and what would be right, for the client's eyes.
    public var message: String

    public init(message: String) {
        self.message = message
    }
}

extension TextCodec {
    /// The tokens of a completion's text: special tokens spelled out in it count.
    func encode(_ text: String, isWhole: Bool) throws(TextCodecError) -> [TokenID] {
        try encode(text, isWhole: isWhole, parsesSpecial: true)
    }

    func bytes(of token: TokenID) -> [UInt8] {
        var bytes: [UInt8] = []
        appendBytes(of: token, to: &bytes)
        return bytes
    }

    /// How a token is written in lists of log probabilities: its text; a special token's name; and OpenAI's
    /// `bytes:\xe2\x82` for a part of a character, so that no two tokens look the same.
    func label(of token: TokenID) -> String {
        if let name = specialName(of: token) { return name }
        let bytes = bytes(of: token)
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return bytes.reduce(into: "bytes:") { label, byte in
            let hex = String(byte, radix: 16)
            label += "\\x" + (hex.count == 1 ? "0" + hex : hex)
        }
    }
}
