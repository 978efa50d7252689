// Text from tokens as they are sampled: a token may end inside a character, and half a character is not text.

/// Turns the ids of one answer into text, piece by piece. The pieces together are what
/// ``BPETokenizer/decode(_:skipSpecial:)`` makes of all ids.
///
///     var detokenizer = StreamingDetokenizer(tokenizer)
///     for id in ids { send(try detokenizer.append(id)) }   // may be empty: the character is not complete yet
///     send(detokenizer.finish())
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: BPETokenizer
    private let skipSpecial: Bool
    private var repairer = UTF8Repairer()

    /// - Parameter skipSpecial: whether special tokens make no text.
    public init(_ tokenizer: BPETokenizer, skipSpecial: Bool = true) {
        self.tokenizer = tokenizer
        self.skipSpecial = skipSpecial
    }

    /// The text that is certain with `id`; bytes of a character that may still be completed are held back.
    /// - Throws: `.unknownToken`; the state is then as before.
    public mutating func append(_ id: Int32) throws(TokenizerError) -> String {
        let bytes = try tokenizer.bytes(of: id)
        if skipSpecial && tokenizer.isSpecial(id) { return "" }
        var output: [UInt8] = []
        repairer.append(bytes, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Ends the text: U+FFFD if the last character was never completed, else nothing. Ready for another answer then.
    public mutating func finish() -> String {
        var output: [UInt8] = []
        repairer.flush(to: &output)
        return String(decoding: output, as: UTF8.self)
    }
}
