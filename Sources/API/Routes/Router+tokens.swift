import Core
import HTTP1
import Tokenizer

/// What the tokenizer does, for clients that count or check: harnesses that score prompts by their tokens, and programs
/// that have to stay within the context.
extension Router {
    /// `POST /tokenize`, `POST /detokenize`, `GET /tokenizer_info`. Texts may be longer than the context: whoever cuts a text
    /// has to know how long it is. The limit of bodies bounds them.
    func answerAboutTokens(_ request: Request, _ endpoint: Endpoint) throws(APIError) -> [UInt8] {
        let backend = try state.running()
        switch endpoint {
        case .tokenize:
            let wish = try TokenizeRequest.decode(body: request.body, model: backend.model, options: options)
            return try tokenize(wish, backend).json
        case .detokenize:
            let wish = try DetokenizeRequest.decode(body: request.body, model: backend.model, options: options)
            return detokenize(wish, backend).json
        default:
            return TokenizerInfoAnswer(model: backend.model, codec: backend.codec).json
        }
    }

    private func tokenize(
        _ request: TokenizeRequest,
        _ backend: ServiceState.Backend
    ) throws(APIError) -> TokensAnswer {
        let tokens: [TokenID]
        do throws(TextCodecError) {
            tokens = try backend.codec.encode(request.text, isWhole: request.addsSpecial)
        } catch {
            throw .invalid("'\(request.field)' cannot be tokenised: \(error.message)", param: request.field)
        }
        return TokensAnswer(
            tokens: tokens,
            strings: request.returnsStrings ? tokens.map(backend.codec.label) : nil,
            contextLength: backend.model.contextLength
        )
    }

    private func detokenize(_ request: DetokenizeRequest, _ backend: ServiceState.Backend) -> TextAnswer {
        var text: [UInt8] = []
        var repair = UTF8Repairer()
        for token in request.tokens {
            if let name = backend.codec.specialName(of: token) {
                if !request.skipsSpecial { repair.append(name.utf8, to: &text) }
            } else {
                repair.append(backend.codec.bytes(of: token), to: &text)
            }
        }
        repair.flush(to: &text)
        return TextAnswer(text: text)
    }
}
