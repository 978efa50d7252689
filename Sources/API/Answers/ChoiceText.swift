import Core
import Tokenizer

/// One choice in the making: tokens go in, pieces of text that cannot change any more come out.
///
/// Held back are bytes that are an incomplete character, and bytes that could still become a stop string. A pure value:
/// whatever the borders of tokens and steps are, the pieces joined are the same text.
struct ChoiceText: Sendable {
    /// A token whose text is not yet released completely.
    private struct Mark: Sendable {
        /// Where its text begins, in bytes of the generated text.
        var start: Int
        var chains: Int
        var entry: LogprobEntry?
    }

    private let codec: any TextCodec
    private let logprobs: Int?
    private var repair = UTF8Repairer()
    private var scanner: StopScanner
    /// Text that is valid UTF-8 and not yet released.
    private var held: [UInt8] = []
    /// Bytes released before `held`.
    private var released = 0
    /// The next offset, in scalars from the beginning of the choice's text (the echoed prompt counts).
    private var scalars: Int
    private var marks: [Mark] = []
    private var bytes: [UInt8] = []
    /// Whether spaces are left out: until something else comes.
    private var skipsSpaces: Bool

    /// Tokens taken, the one that completed a stop string or ended the answer included.
    private(set) var tokenCount = 0
    /// `chainTokens[k - 1]`: tokens computed by `k` chains.
    private(set) var chainTokens: [Int]
    /// The sum of the tokens' log probabilities, of those that have one.
    private(set) var logprobSum = 0.0
    /// Why the text ended; nothing is taken after that.
    private(set) var finish: FinishReason?

    /// The mean log probability of its tokens: what `best_of` compares, OpenAI's "log probability per token".
    var meanLogprob: Double { tokenCount == 0 ? 0 : logprobSum / Double(tokenCount) }

    /// - Parameters:
    ///   - offset: the scalars of the text before the generated one (an echoed prompt).
    ///   - logprobs: alternatives to list beside each token; nil for no lists.
    ///   - skipsLeadingSpaces: whether spaces that the text begins with are left out.
    init(
        codec: any TextCodec,
        stops: [String],
        chains: Int,
        logprobs: Int?,
        offset: Int = 0,
        skipsLeadingSpaces: Bool = false
    ) {
        skipsSpaces = skipsLeadingSpaces
        self.codec = codec
        self.logprobs = logprobs
        scanner = StopScanner(stops)
        chainTokens = Array(repeating: 0, count: chains)
        scalars = offset
    }

    /// Takes one generated token and returns the text that it makes final. Sets `finish` when it completes a stop string.
    mutating func take(_ token: GeneratedToken) -> [AnswerPiece] {
        guard finish == nil else { return [] }
        tokenCount += 1
        if let logprobs = token.logprobs { logprobSum += Double(logprobs.chosen.logprob) }
        if chainTokens.indices.contains(token.chains - 1) { chainTokens[token.chains - 1] += 1 }
        let entry = logprobs.map { count in
            LogprobEntry(token: token.id, logprobs: token.logprobs, count: count, offset: scalars, codec: codec)
        }
        marks.append(Mark(start: released + held.count, chains: token.chains, entry: entry))
        bytes.removeAll(keepingCapacity: true)
        codec.appendBytes(of: token.id, to: &bytes)
        for byte in bytes {
            if skipsSpaces && byte == UInt8(ascii: " ") { continue }
            skipsSpaces = false
            let start = held.count
            repair.append(CollectionOfOne(byte), to: &held)
            if scan(from: start) { break }
        }
        return release()
    }

    /// The engine has finished: everything held is final.
    mutating func end(_ reason: FinishReason) -> [AnswerPiece] {
        guard finish == nil else { return [] }
        let start = held.count
        repair.flush(to: &held)
        if !scan(from: start) { finish = reason }
        return release()
    }

    /// Runs the stop strings over new text. On a match the text ends before it.
    private mutating func scan(from start: Int) -> Bool {
        var index = start
        while index < held.count {
            let byte = held[index]
            index += 1
            if byte.beginsCharacter { scalars += 1 }
            guard let length = scanner.advance(byte) else { continue }
            scalars -= held[(index - length)..<index].count { $0.beginsCharacter }
            held.removeSubrange((index - length)...)
            finish = .stop
            return true
        }
        return false
    }

    /// Cuts what is final off `held`: one piece for each run of tokens with the same chain count.
    private mutating func release() -> [AnswerPiece] {
        let isLast = finish != nil
        let count = isLast ? held.count : held.count - scanner.heldBytes
        guard isLast || count > 0 else { return [] }
        let safe = released + count
        var pieces: [AnswerPiece] = []
        var begun = 0
        while begun < marks.count && (isLast || marks[begun].start < safe) {
            let mark = marks[begun]
            marks[begun].entry = nil
            begun += 1
            // A token without text of its own goes with the next one, unless it has an entry to show its size with.
            if pieces.last.map({ $0.chains == mark.chains || $0.text.isEmpty && $0.entries.isEmpty }) != true {
                pieces.append(AnswerPiece())
            }
            let piece = pieces.count - 1
            pieces[piece].chains = mark.chains
            let end = min(begun < marks.count ? marks[begun].start : safe, safe)
            let from = max(mark.start, released)
            if from < end { pieces[piece].text += held[(from - released)..<(end - released)] }
            if var entry = mark.entry {
                // A token may begin within a stop string, behind the end of the text.
                if isLast { entry.offset = min(entry.offset, scalars) }
                pieces[piece].entries.append(entry)
            }
        }
        held.removeFirst(count)
        released = safe
        // The last token may have text left, if only a part of a character; its chain count is needed again.
        let hasRest = begun < marks.count ? marks[begun].start > safe : !held.isEmpty || repair.isPending
        let isPartial = begun > 0 && hasRest
        marks.removeFirst(isPartial ? begun - 1 : begun)
        if isLast {
            if pieces.isEmpty { pieces.append(AnswerPiece()) }
            pieces[pieces.count - 1].finish = finish
        }
        return pieces
    }
}
