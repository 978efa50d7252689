import JSON
import LoadTesting

/// Prompts of about a given number of tokens. The same index gives the same text, a longer one beginning with the shorter;
/// different indices differ from the first word on, so that no prefix is shared by chance.
package enum PromptSource: Sendable, Hashable {
    /// Common English words, of which a tokenizer makes so many tokens each.
    case words(tokensPerWord: Double, seed: UInt64)
    /// Token ids of a vocabulary of this size; exact. Ids in its first and last eighth are left out: special tokens are there.
    case tokens(vocabulary: Int, seed: UInt64)

    /// The same kind of prompts, other ones.
    package func reseeded(_ seed: UInt64) -> PromptSource {
        switch self {
        case .words(let tokensPerWord, _): .words(tokensPerWord: tokensPerWord, seed: seed)
        case .tokens(let vocabulary, _): .tokens(vocabulary: vocabulary, seed: seed)
        }
    }

    /// Writes the value of `prompt`.
    func write(_ index: Int, tokens count: Int, to json: inout JSONWriter) {
        switch self {
        case .words(let tokensPerWord, let seed):
            var random = SeededRandom(seed: seed, stream: UInt64(index) &+ 1000)
            let words = max(Int((Double(count) / tokensPerWord).rounded()), 1)
            var text = ""
            for number in 0..<words {
                if number > 0 { text += " " }
                text += Self.words[random.integer(in: 0...Self.words.count - 1)]
            }
            json.string(text)
        case .tokens(let vocabulary, let seed):
            var random = SeededRandom(seed: seed, stream: UInt64(index) &+ 1000)
            let edge = vocabulary / 8
            json.raw("[")
            for number in 0..<max(count, 1) {
                json.separator(before: number)
                json.integer(random.integer(in: edge...(vocabulary - 1 - edge)))
            }
            json.raw("]")
        }
    }

    /// Short and frequent, so that most tokenizers have them as one token.
    static let words = """
        the of and to in that he was it his with as had for at her not she but him on they all be which you so this have \
        from were by said one or an me when there my who them would out if no could then now we what is been very their \
        up do more like some into than upon its little down time about only over did see came made before other come \
        after our old good how know long well never own again here such say much day two way might great man must off \
        hand eyes go house first where back think head face through away put men place last young still too took just \
        left life night room thought went door most even look got world let without found side white far each himself \
        seemed done heard being under light full same while asked always turned work end once right three part home new
        """.split(separator: " ").map(String.init)
}
