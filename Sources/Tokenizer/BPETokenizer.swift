// Text to token ids and back, with the byte-level byte-pair encoding of a Hugging Face tokenizer.json.

/// A byte-level BPE tokenizer. Gives the ids and texts that the `tokenizers` package gives for the same file.
///
///     let tokenizer = try BPETokenizer(path: "model/tokenizer.json")
///     let ids = try tokenizer.encode("Once upon a time")
///     let text = try tokenizer.decode(ids)
///
/// Encoding goes through four stages: added tokens are found in the text; what lies between is cut into words by the
/// pre-tokenizer's pattern; each word's bytes become tokens; neighbouring tokens merge, best rank first. Time is
/// O(n log n) in the length of the text, whatever the text is.
///
/// The object never changes and may be shared between threads.
public final class BPETokenizer: Sendable {
    /// How many ids there are: 0 to below this.
    public let vocabularySize: Int
    /// Ids of the special tokens, ascending.
    public let specialIDs: [Int32]

    private let vocabulary: Vocabulary
    private let addedTokens: AddedTokens
    private let preTokenizer: PreTokenizer
    private let merges: MergeTable
    /// Whether a word that is a token as a whole is taken as it is, unmerged (`ignore_merges`).
    private let takesWholeWords: Bool
    /// What the template puts before and after a text.
    private let prefix: [Int32]
    private let suffix: [Int32]

    init(
        vocabulary: Vocabulary,
        addedTokens: [AddedToken],
        preTokenizer: PreTokenizer,
        merges: MergeTable,
        takesWholeWords: Bool,
        prefix: [Int32],
        suffix: [Int32]
    ) {
        self.vocabulary = vocabulary
        vocabularySize = vocabulary.count
        specialIDs = addedTokens.filter(\.isSpecial).map(\.id).sorted()
        self.addedTokens = AddedTokens(addedTokens)
        self.preTokenizer = preTokenizer
        self.merges = merges
        self.takesWholeWords = takesWholeWords
        self.prefix = prefix
        self.suffix = suffix
    }

    /// The ids of `text`.
    /// - Parameters:
    ///   - addSpecial: whether the file's template applies, which puts a beginning-of-text token first, for example.
    ///   - parseSpecial: whether special tokens spelled out in `text` become their ids. Say false for text of a user who
    ///     must not forge them: they are then encoded like any other text.
    /// - Throws: `.patternLimit` for a text on which the pattern runs wild; no known pattern of a model does.
    public func encode(
        _ text: String,
        addSpecial: Bool = true,
        parseSpecial: Bool = true
    ) throws(TokenizerError) -> [Int32] {
        var ids = addSpecial ? prefix : []
        try Array(text.utf8).withUnsafeBufferPointer { (bytes) throws(TokenizerError) in
            let matcher = PatternMatcher()
            var merger = PairMerger(merges: merges)
            for segment in addedTokens.segments(of: bytes, parseSpecial: parseSpecial) {
                switch segment {
                case .token(let id): ids.append(id)
                case .text(let range):
                    let piece = UnsafeBufferPointer(rebasing: bytes[range])
                    try encode(piece, with: matcher, &merger, into: &ids)
                }
            }
        }
        if addSpecial { ids += suffix }
        return ids
    }

    /// Encodes text without added tokens.
    private func encode(
        _ text: UnsafeBufferPointer<UInt8>,
        with matcher: borrowing PatternMatcher,
        _ merger: inout PairMerger,
        into ids: inout [Int32]
    ) throws(TokenizerError) {
        if preTokenizer.addsPrefixSpace, text.first != UInt8(ascii: " ") {
            try ([UInt8(ascii: " ")] + text).withUnsafeBufferPointer { (text) throws(TokenizerError) in
                try encodeWords(text, with: matcher, &merger, into: &ids)
            }
        } else {
            try encodeWords(text, with: matcher, &merger, into: &ids)
        }
    }

    private func encodeWords(
        _ text: UnsafeBufferPointer<UInt8>,
        with matcher: borrowing PatternMatcher,
        _ merger: inout PairMerger,
        into ids: inout [Int32]
    ) throws(TokenizerError) {
        for range in try preTokenizer.words(of: text, with: matcher) {
            let word = UnsafeBufferPointer(rebasing: text[range])
            if takesWholeWords, let id = vocabulary.id(ofBytes: Array(word)) {
                ids.append(id)
            } else {
                merger.merge(word, tokenOfByte: vocabulary.idOfByte, into: &ids)
            }
        }
    }

    /// The text of `ids`. Bytes that are no UTF-8 become U+FFFD, one for each maximal ill-formed part.
    /// - Parameter skipSpecial: whether special tokens make no text.
    /// - Throws: `.unknownToken`
    public func decode(_ ids: some Sequence<Int32>, skipSpecial: Bool = true) throws(TokenizerError) -> String {
        var repairer = UTF8Repairer()
        var output: [UInt8] = []
        for id in ids {
            let bytes = try bytes(of: id)
            if skipSpecial && isSpecial(id) { continue }
            repairer.append(bytes, to: &output)
        }
        repairer.flush(to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// The bytes that the token stands for; maybe part of a character.
    /// - Throws: `.unknownToken`
    public func bytes(of id: Int32) throws(TokenizerError) -> ArraySlice<UInt8> {
        try check(id)
        return vocabulary.bytes(of: id)
    }

    /// The token as tokenizer.json spells it, with "Ġ" for a space for example.
    /// - Throws: `.unknownToken`
    public func tokenString(_ id: Int32) throws(TokenizerError) -> String {
        try check(id)
        return vocabulary.texts[Int(id)]
    }

    /// The id of the token that tokenizer.json spells `text`; nil if there is none.
    public func id(of text: String) -> Int32? { vocabulary.id(of: text) }

    /// Whether `id` is a special token.
    public func isSpecial(_ id: Int32) -> Bool { vocabulary.contains(id) && vocabulary.isSpecial[Int(id)] }

    private func check(_ id: Int32) throws(TokenizerError) {
        guard vocabulary.contains(id) else { throw .unknownToken(id: id, vocabularySize: vocabularySize) }
    }
}
