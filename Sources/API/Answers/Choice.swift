import Core
import Tokenizer

/// One of the answers of a request: takes the engine's events, gives the pieces of its text. Pure.
struct Choice: Sendable {
    /// `prompt * bestOf + number`.
    let index: Int
    private(set) var text: ChoiceText
    private(set) var admission: Admission?
    /// Whether the engine is done with it: no event will follow.
    private(set) var hasEngineEnded = false
    /// Why there will be no `finish`.
    private(set) var failure: GenerationFailure?
    private let echo: EchoedPrompt?
    private let logprobs: Int?
    private let codec: any TextCodec
    private var hasBegun = false

    /// - Parameter echo: the prompt, when the answer is to begin with it.
    init(index: Int, request: CompletionRequest, echo: EchoedPrompt?, chains: Int, codec: any TextCodec) {
        self.index = index
        self.echo = echo
        self.logprobs = request.logprobs
        self.codec = codec
        text = ChoiceText(
            codec: codec,
            stops: request.stop,
            chains: chains,
            logprobs: request.logprobs,
            offset: echo?.characters ?? 0,
            skipsLeadingSpaces: request.skipsLeadingSpaces
        )
    }

    var isFinished: Bool { text.finish != nil }

    /// How far it is. Not the choice itself, whose copy would have the next event copy its buffers.
    struct Progress: Sendable, Hashable {
        var isAdmitted: Bool
        var tokens: Int
        var isFinished: Bool
    }

    var progress: Progress {
        Progress(isAdmitted: admission != nil, tokens: text.tokenCount, isFinished: isFinished)
    }

    /// The pieces that a batch of events makes final; the last one of the choice has its `finish`, if it does not fail.
    mutating func take(_ events: [GenerationEvent]) -> [AnswerPiece] {
        var pieces: [AnswerPiece] = []
        for event in events {
            switch event {
            case .admitted(let admission):
                self.admission = admission
                if let echo, logprobs == nil, !echo.text.isEmpty { pieces.append(AnswerPiece(text: echo.text)) }
            case .promptLogprobs(let rows):
                guard let echo, let logprobs else { break }
                let entries = echo.entries(rows, count: logprobs, codec)
                pieces.append(AnswerPiece(text: echo.text, entries: entries))
            case .token(let token):
                pieces += text.take(token)
            case .finished(let reason):
                hasEngineEnded = true
                pieces += text.end(reason)
            case .failed(let failure):
                hasEngineEnded = true
                self.failure = failure
            }
        }
        // An end that brings no text of its own goes with the text before it.
        if pieces.count > 1, let last = pieces.last, last.text.isEmpty, last.entries.isEmpty {
            pieces.removeLast()
            pieces[pieces.count - 1].finish = last.finish
        }
        if !hasBegun && !pieces.isEmpty {
            hasBegun = true
            pieces[0].isFirst = true
        }
        return pieces
    }
}

/// A prompt as `echo` gives it back.
struct EchoedPrompt: Sendable {
    /// Valid UTF-8: the client's own text, or what its token ids stand for.
    let text: [UInt8]
    /// Characters (Unicode scalars) of `text`.
    let characters: Int
    private let tokens: [TokenID]

    init(prompt: CompletionRequest.Prompt, tokens: [TokenID], codec: any TextCodec) {
        self.tokens = tokens
        switch prompt {
        case .text(let text): self.text = Array(text.utf8)
        case .tokens, .chat: text = Self.decode(tokens, codec) { _, _ in }
        }
        characters = text.count { $0.beginsCharacter }
    }

    /// The prompt's rows of log probabilities, one for each token.
    func entries(_ rows: [TokenLogprobs?], count: Int, _ codec: any TextCodec) -> [LogprobEntry] {
        var entries: [LogprobEntry] = []
        _ = Self.decode(tokens, codec) { index, offset in
            let row = rows.indices.contains(index) ? rows[index] : nil
            entries.append(
                LogprobEntry(
                    token: tokens[index],
                    logprobs: row,
                    count: count,
                    offset: min(offset, characters),
                    codec: codec
                )
            )
        }
        return entries
    }

    /// The text of tokens; `begin` hears of each token's index and of the characters before it.
    private static func decode(
        _ tokens: [TokenID],
        _ codec: any TextCodec,
        begin: (_ index: Int, _ offset: Int) -> Void
    ) -> [UInt8] {
        var text: [UInt8] = []
        var repair = UTF8Repairer()
        var offset = 0
        for (index, token) in tokens.enumerated() {
            begin(index, offset)
            let counted = text.count
            for byte in codec.bytes(of: token) { repair.append(CollectionOfOne(byte), to: &text) }
            offset += text[counted...].count { $0.beginsCharacter }
        }
        repair.flush(to: &text)
        return text
    }
}
