import Core

/// A part of one choice's text that is final: what one chunk of a stream carries. The pieces of a choice, joined, are
/// the choice.
struct AnswerPiece: Sendable, Hashable {
    /// Valid UTF-8.
    var text: [UInt8]
    /// The chain count that computed these tokens; nil for the prompt and for an end without tokens.
    var chains: Int?
    /// The tokens that begin in this piece, when log probabilities were asked for.
    var entries: [LogprobEntry]
    /// On the last piece.
    var finish: FinishReason?
    /// Whether it is the first piece of its choice.
    var isFirst = false

    init(text: [UInt8] = [], chains: Int? = nil, entries: [LogprobEntry] = [], finish: FinishReason? = nil) {
        self.text = text
        self.chains = chains
        self.entries = entries
        self.finish = finish
    }
}
