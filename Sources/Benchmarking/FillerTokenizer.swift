// A tokenizer for models that have no text: byte-level BPE with as many tokens as the vocabulary has.

import JSON

/// Writes a tokenizer.json in which every id below the vocabulary size has a text.
///
/// Id 0 ends a text, 1 to 256 are the bytes, and the rest are words of lower-case letters: all of two letters, then all of
/// four (two of two each), of eight, and so on until there are enough. Every text can be encoded, and every id decoded.
struct FillerTokenizer {
    static let endToken = "<|endoftext|>"
    /// The end token and every byte.
    static let smallestVocabulary = 257

    let vocabularySize: Int

    /// - Precondition: at least ``smallestVocabulary``.
    init(vocabularySize: Int) {
        precondition(vocabularySize >= Self.smallestVocabulary)
        self.vocabularySize = vocabularySize
    }

    /// The parts of every filler token, in the order of their ids.
    var merges: [(left: String, right: String)] {
        let wanted = vocabularySize - Self.smallestVocabulary
        var merges: [(left: String, right: String)] = []
        merges.reserveCapacity(wanted)
        var words = (UInt8(ascii: "a")...UInt8(ascii: "z")).map { String(UnicodeScalar($0)) }
        while merges.count < wanted {
            let first = merges.count
            fill: for left in words {
                for right in words {
                    if merges.count == wanted { break fill }
                    merges.append((left, right))
                }
            }
            words = merges[first...].map { $0.left + $0.right }
        }
        return merges
    }

    /// The bytes of tokenizer.json.
    var file: [UInt8] {
        let merges = merges
        var json = JSONWriter(reserving: 1 << 20)
        json.raw(
            """
            {"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":0,"content":"<|endoftext|>",\
            "single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":null,\
            "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},\
            "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,\
            "use_regex":true},"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,\
            "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{
            """
        )
        json.string(Self.endToken)
        json.raw(":0")
        let bytes = Self.byteTokens
        for (index, text) in (bytes + merges.map { $0.left + $0.right }).enumerated() {
            json.raw(",")
            json.string(text)
            json.raw(":")
            json.integer(index + 1)
        }
        json.raw(#"},"merges":["#)
        for (index, merge) in merges.enumerated() {
            json.separator(before: index)
            json.string("\(merge.left) \(merge.right)")
        }
        json.raw("]}}\n")
        return json.bytes
    }

    /// GPT-2's visible character for every byte, in the order of the bytes.
    private static let byteTokens: [String] = {
        var next: UInt32 = 0x100
        return (UInt8.min...UInt8.max).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return String(UnicodeScalar(byte))
            default:
                defer { next += 1 }
                return String(UnicodeScalar(next)!)  // U+0100 to U+0143
            }
        }
    }()
}
