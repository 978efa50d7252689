import Core
import JSON

extension RequestFields {
    private static let biases = -100.0...100.0

    /// An object from token ids, as decimal digits, to numbers from -100 to 100: OpenAI's `logit_bias`. It has no more
    /// entries than the vocabulary has tokens, for ids have one spelling.
    /// - Returns: empty for an empty object, and for none.
    /// - Throws: 400, also for a name that is no id: ignored, it would give an answer without its bias.
    func logitBias(_ name: String, vocabularySize: Int) throws(APIError) -> [TokenID: Float] {
        guard let members = try object(name) else { return [:] }
        var bias: [TokenID: Float] = [:]
        for (key, value) in members.members {
            guard let token = TokenID(key), key == String(token), (0..<vocabularySize).contains(Int(token)) else {
                throw .invalid(
                    "The names in '\(name)' must be token ids from 0 to \(vocabularySize - 1) in decimal digits; got "
                        + "\(quoted(key)).",
                    param: name
                )
            }
            guard let number = value.double, Self.biases.contains(number) else {
                throw .invalid(
                    "'\(name)' must give token \(token) a number from \(Int(Self.biases.lowerBound)) to "
                        + "\(Int(Self.biases.upperBound)); got \(value.found).",
                    param: name
                )
            }
            bias[token] = Float(number)
        }
        return bias
    }
}
