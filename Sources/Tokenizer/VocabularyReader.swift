// Gathers the tokens of a tokenizer.json: the model's vocabulary and merges, and the tokens added to it.

import JSON
import ModelIO

struct VocabularyReader {
    private let model: JSONFields
    /// Every token by its spelling.
    private(set) var ids: [ExactKey: Int32] = [:]
    private var texts: [Int32: String] = [:]
    /// Tokens of the model itself; the added ones come after it.
    private var modelCount: Int { model.members.count }

    /// - Parameter model: the object `model.vocab`.
    init(model: JSONFields) { self.model = model }

    /// Reads `model.vocab`: `{"a": 64, ..}`.
    mutating func readModel() throws(ModelFileError) {
        ids.reserveCapacity(modelCount)
        texts.reserveCapacity(modelCount)
        for (text, value) in model.members {
            guard let id = value.int, (0..<Int(Int32.max)).contains(id) else {
                throw model.inconsistent(quoted(text), "is \(value.summary)", "a token id from 0 to \(Int32.max - 1)")
            }
            try add(text, Int32(id), model)
        }
    }

    private mutating func add(_ text: String, _ id: Int32, _ fields: JSONFields) throws(ModelFileError) {
        if let other = texts.updateValue(text, forKey: id) {
            throw fields.inconsistent(quoted(text), "has the id \(id) of \(quoted(other))", "an id of its own")
        }
        ids[ExactKey(text: text)] = id
    }

    /// Reads `model.merges`, in rank order: `["a b", ..]` or `[["a", "b"], ..]`.
    func readMerges(_ fields: JSONFields) throws(ModelFileError) -> MergeTable {
        let values = try fields.array("merges")
        var merges = MergeTable(capacity: values.count)
        for (rank, value) in values.enumerated() {
            let key = "merges[\(rank)]"
            guard let (left, right) = Self.pair(value) else {
                throw fields.inconsistent(key, "is \(value.summary)", "two tokens, as \"a b\" or [\"a\", \"b\"]")
            }
            guard let leftID = ids[ExactKey(text: left)], let rightID = ids[ExactKey(text: right)],
                let token = ids[ExactKey(text: left + right)]
            else {
                throw fields.inconsistent(
                    key,
                    "is \(quoted(left)) and \(quoted(right))",
                    "two tokens of the vocabulary whose join is one too"
                )
            }
            merges.add(leftID, rightID, MergeTable.Merge(rank: UInt32(rank), token: token))
        }
        return merges
    }

    private static func pair(_ value: JSONValue) -> (String, String)? {
        if let text = value.string {
            let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            return parts.count == 2 ? (String(parts[0])!, String(parts[1])!) : nil  // cut at ASCII: still UTF-8
        }
        guard let parts = value.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string else {
            return nil
        }
        return (left, right)
    }

    /// Reads `added_tokens`. Their ids must be those that the `tokenizers` package would give them, as it goes by the order
    /// of the list and not by the ids.
    mutating func readAddedTokens(_ fields: JSONFields) throws(ModelFileError) -> [AddedToken] {
        var tokens: [AddedToken] = []
        var seen: Set<Int32> = []
        for entry in try fields.optionalObjects("added_tokens") ?? [] {
            let content = try entry.string("content")
            guard !content.isEmpty else { throw entry.inconsistent("content", "is empty", "a text to look for") }
            let id = try entry.int("id")
            let expected = ids[ExactKey(text: content)] ?? Int32(clamping: texts.count)
            guard id == Int(expected) else {
                throw entry.inconsistent("id", "is \(id)", "\(expected) for \(quoted(content)), here")
            }
            guard seen.insert(expected).inserted else {
                throw entry.inconsistent("content", "is \(quoted(content)) for the second time", "every token once")
            }
            if ids[ExactKey(text: content)] == nil { try add(content, expected, entry) }
            tokens.append(
                AddedToken(
                    id: expected,
                    content: content,
                    stripsLeft: try entry.bool("lstrip"),
                    stripsRight: try entry.bool("rstrip"),
                    isSingleWord: try entry.bool("single_word"),
                    isNormalized: try entry.bool("normalized"),
                    isSpecial: try entry.bool("special")
                )
            )
        }
        return tokens
    }

    /// All tokens by id, once everything is read.
    func vocabulary(_ addedTokens: [AddedToken], indexesWords: Bool) throws(ModelFileError) -> Vocabulary {
        var texts: [String] = []
        var isOfModel: [Bool] = []
        for id in 0..<Int32(self.texts.count) {
            guard let text = self.texts[id] else {
                throw model.inconsistent("id \(id)", "is missing", "the ids 0 to \(self.texts.count - 1), without gaps")
            }
            texts.append(text)
            isOfModel.append(model.value(text) != nil)
        }
        var idOfByte: [Int32] = []
        for (byte, scalar) in ByteAlphabet.scalars.enumerated() {
            guard let id = model.value(String(scalar))?.int else {
                throw model.inconsistent(quoted(String(scalar)), "is missing", "a token for every byte, here \(byte)")
            }
            idOfByte.append(Int32(id))
        }
        var isSpecial = [Bool](repeating: false, count: texts.count)
        for token in addedTokens where token.isSpecial { isSpecial[Int(token.id)] = true }
        return Vocabulary(
            texts: texts,
            ids: ids,
            isOfModel: isOfModel,
            isSpecial: isSpecial,
            idOfByte: idOfByte,
            indexesWords: indexesWords
        )
    }
}
