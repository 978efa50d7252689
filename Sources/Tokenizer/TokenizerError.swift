// What can go wrong between text and token ids, once a tokenizer is loaded.

/// An error of encoding or decoding.
public enum TokenizerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No token has this id; ids go from 0 to below `vocabularySize`.
    case unknownToken(id: Int32, vocabularySize: Int)
    /// The pre-tokenizer's pattern needed more steps or memory than allowed on a text of so many bytes: PCRE2's code.
    case patternLimit(code: Int32, byteCount: Int)

    public var description: String {
        switch self {
        case .unknownToken(let id, let vocabularySize):
            "no token has the id \(id); expected 0 to \(vocabularySize - 1)"
        case .patternLimit(let code, let byteCount):
            "splitting a text of \(byteCount) bytes into words ran into the pattern matcher's limits (PCRE2 error \(code)); "
                + "expected a text that the tokenizer's pattern splits in bounded time"
        }
    }
}
