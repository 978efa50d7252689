import API
import Core
import Tokenizer

/// The model's tokenizer as the API sees it.
struct TokenizerCodec: TextCodec {
    private let tokenizer: BPETokenizer
    let longestToken: Int

    init(tokenizer: BPETokenizer) {
        self.tokenizer = tokenizer
        let ids = 0..<TokenID(tokenizer.vocabularySize)
        longestToken = ids.reduce(1) { longest, id in max(longest, (try? tokenizer.bytes(of: id).count) ?? 0) }
    }

    func encode(_ text: String, isWhole: Bool, parsesSpecial: Bool) throws(TextCodecError) -> [TokenID] {
        do throws(TokenizerError) {
            // In a completion's prompt they count: that is how its clients write an end of text.
            return try tokenizer.encode(text, addSpecial: isWhole, parseSpecial: parsesSpecial)
        } catch {
            throw TextCodecError(message: error.description)
        }
    }

    func special(named name: String) -> TokenID? {
        tokenizer.id(of: name).flatMap { tokenizer.isSpecial($0) ? $0 : nil }
    }

    func appendBytes(of token: TokenID, to bytes: inout [UInt8]) {
        guard !tokenizer.isSpecial(token), let own = try? tokenizer.bytes(of: token) else { return }
        bytes += own
    }

    func specialName(of token: TokenID) -> String? {
        tokenizer.isSpecial(token) ? try? tokenizer.tokenString(token) : nil
    }
}
