// A tokenizer.json of the 256 bytes, a few merges and an added token or two, as text that a test can change.

import Foundation
import Testing

@testable import Tokenizer

struct SmallTokenizer {
    /// Joins in rank order. Each makes a token, from id 256 on.
    var merges: [[String]] = [["h", "e"], ["l", "l"], ["he", "ll"], ["hell", "o"], ["Ġ", "w"]]
    var addedTokens: [String] = [added("<s>", id: 261), added("<x>", id: 262, special: false)]
    /// Members of the file, as JSON, that replace or join the usual ones.
    var members: [String: String] = [:]
    /// Members of `model`.
    var modelMembers: [String: String] = [:]
    var vocabulary: [String: Int] = [:]

    init() {
        for (byte, scalar) in ByteAlphabet.scalars.enumerated() { vocabulary[String(scalar)] = byte }
        for (rank, merge) in merges.enumerated() { vocabulary[merge.joined()] = 256 + rank }
    }

    static func added(
        _ content: String,
        id: Int,
        special: Bool = true,
        normalized: Bool = false,
        lstrip: Bool = false,
        rstrip: Bool = false,
        singleWord: Bool = false
    ) -> String {
        """
        {"id": \(id), "content": \(json(content)), "single_word": \(singleWord), "lstrip": \(lstrip), "rstrip": \(rstrip), \
        "normalized": \(normalized), "special": \(special)}
        """
    }

    static func json(_ text: String) -> String {
        let data = try? JSONEncoder().encode(text)
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    static func json(_ members: [String: String]) -> String {
        "{" + members.sorted { $0.key < $1.key }.map { "\(json($0.key)): \($0.value)" }.joined(separator: ", ") + "}"
    }

    var text: String {
        var model = [
            "type": "\"BPE\"", "dropout": "null", "unk_token": "null",
            "vocab": Self.json(vocabulary.mapValues(String.init)),
            "merges": "[" + merges.map { "[\(Self.json($0[0])), \(Self.json($0[1]))]" }.joined(separator: ", ") + "]",
        ]
        model.merge(modelMembers) { $1 }
        var file = [
            "version": "\"1.0\"", "truncation": "null", "padding": "null", "normalizer": "null",
            "post_processor": "null",
            "added_tokens": "[\(addedTokens.joined(separator: ", "))]",
            "pre_tokenizer":
                #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}"#,
            "decoder": #"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#,
            "model": Self.json(model),
        ]
        file.merge(members) { $1 }
        return Self.json(file)
    }

    /// Writes the file and loads it.
    func load() throws -> BPETokenizer { try Self.load(Array(text.utf8)) }

    static func load(_ bytes: [UInt8]) throws -> BPETokenizer {
        let path = NSTemporaryDirectory() + "catena-tokenizer-\(UUID().uuidString).json"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try BPETokenizer(path: path)
    }
}
