import ModelIO
import TestSupport
import Testing

@testable import Tokenizer

@Suite struct TokenizerFileTests {
    struct Refused: Sendable, CustomTestStringConvertible {
        var key: String
        var says: String
        var kind: ModelFileError.Kind
        var change: @Sendable (inout SmallTokenizer) -> Void
        init(
            _ key: String,
            _ says: String,
            _ kind: ModelFileError.Kind = .inconsistent,
            _ change: @escaping @Sendable (inout SmallTokenizer) -> Void
        ) {
            (self.key, self.says, self.kind, self.change) = (key, says, kind, change)
        }
        var testDescription: String { "\(key): \(says)" }
    }

    private static func splitting(_ member: String) -> @Sendable (inout SmallTokenizer) -> Void {
        { small in
            small.members["pre_tokenizer"] = """
                {"type": "Sequence", "pretokenizers": [\(member), {"type": "ByteLevel", "add_prefix_space": false, \
                "use_regex": false}]}
                """
        }
    }

    static let refused: [Refused] = [
        Refused("normalizer.type", "is \"NFC\"; expected no normalizer", .unsupported) {
            $0.members["normalizer"] = "{\"type\": \"NFC\"}"
        },
        Refused("decoder", "is missing; expected an object") { $0.members["decoder"] = "null" },
        Refused("decoder.type", "is \"WordPiece\"; expected \"ByteLevel\"", .unsupported) {
            $0.members["decoder"] = "{\"type\": \"WordPiece\"}"
        },
        Refused("model", "is missing") { $0.members["model"] = "null" },
        Refused("model.type", "is \"Unigram\"; expected \"BPE\"", .unsupported) {
            $0.modelMembers["type"] = "\"Unigram\""
        },
        Refused("model.dropout", "is 0.1; expected null", .unsupported) { $0.modelMembers["dropout"] = "0.1" },
        Refused("model.end_of_word_suffix", "is \"</w>\"", .unsupported) {
            $0.modelMembers["end_of_word_suffix"] = "\"</w>\""
        },
        Refused("model.vocab", "is 1; expected an object") { $0.modelMembers["vocab"] = "1" },
        Refused("model.vocab.\"hello\"", "is -1; expected a token id") { $0.vocabulary["hello"] = -1 },
        Refused("model.vocab.\"hello\"", "is 2147483647; expected a token id") {
            $0.vocabulary["hello"] = 2_147_483_647
        },
        Refused("model.vocab.\"hello\"", "has the id 258 of \"hell\"; expected an id of its own") {
            $0.vocabulary["hello"] = 258
        },
        Refused("model.vocab.id 259", "is missing; expected the ids 0 to 262, without gaps") {
            $0.vocabulary["hello"] = 500
        },
        Refused("model.vocab.\"!\"", "is missing; expected a token for every byte, here 33") {
            $0.vocabulary["!"] = nil
            $0.vocabulary["!!"] = 33
        },
        Refused("model.merges", "is missing; expected a list") { $0.modelMembers["merges"] = "null" },
        Refused("model.merges[0]", "is \"he\"; expected two tokens") { $0.modelMembers["merges"] = "[\"he\"]" },
        Refused("model.merges[0]", "is \"h e l\"; expected two tokens") { $0.modelMembers["merges"] = "[\"h e l\"]" },
        Refused("model.merges[1]", "is a list of 3; expected two tokens") {
            $0.modelMembers["merges"] = "[[\"h\", \"e\"], [\"l\", \"l\", \"l\"]]"
        },
        Refused("model.merges[5]", "is \"h\" and \"zz\"; expected two tokens of the vocabulary") {
            $0.merges.append(["h", "zz"])
        },
        Refused("model.merges[5]", "is \"o\" and \"o\"; expected two tokens of the vocabulary") {
            $0.merges.append(["o", "o"])
        },
        Refused("added_tokens", "is 7; expected a list") { $0.members["added_tokens"] = "7" },
        Refused("added_tokens[0].content", "is missing; expected a string") { $0.addedTokens = ["{}"] },
        Refused("added_tokens[0].content", "is empty") { $0.addedTokens = [SmallTokenizer.added("", id: 261)] },
        Refused("added_tokens[0].id", "is 300; expected 261 for \"<s>\"") {
            $0.addedTokens = [SmallTokenizer.added("<s>", id: 300)]
        },
        Refused("added_tokens[0].id", "is 261; expected 259 for \"hello\"") {
            $0.addedTokens = [SmallTokenizer.added("hello", id: 261)]
        },
        Refused("added_tokens[2].content", "is \"<s>\" for the second time") {
            $0.addedTokens.append(SmallTokenizer.added("<s>", id: 261))
        },
        Refused("added_tokens[0].special", "is missing; expected true or false") {
            $0.addedTokens = [
                #"{"id":261,"content":"qq","single_word":false,"lstrip":false,"rstrip":false,"normalized":false}"#
            ]
        },
        Refused("pre_tokenizer", "is missing") { $0.members["pre_tokenizer"] = "null" },
        Refused("pre_tokenizer.type", "is \"Whitespace\"; expected \"ByteLevel\"", .unsupported) {
            $0.members["pre_tokenizer"] = "{\"type\": \"Whitespace\"}"
        },
        Refused(
            "pre_tokenizer.pretokenizers[0].type",
            "is \"Metaspace\"",
            .unsupported,
            splitting("{\"type\":\"Metaspace\"}")
        ),
        Refused(
            "pre_tokenizer.pretokenizers[0].pattern.Regex",
            "uses \\w; expected a pattern that Oniguruma and PCRE2 read alike",
            .unsupported,
            splitting(#"{"type":"Split","pattern":{"Regex":"\\w"},"behavior":"Isolated","invert":false}"#)
        ),
        Refused(
            "pre_tokenizer.pretokenizers[0].behavior",
            "is \"Isolate\"; expected one of Removed, Isolated",
            .inconsistent,
            splitting(#"{"type":"Split","pattern":{"String":"a"},"behavior":"Isolate","invert":false}"#)
        ),
        Refused(
            "pre_tokenizer.pretokenizers[0].pattern.String",
            "is missing",
            .inconsistent,
            splitting(#"{"type":"Split","pattern":{},"behavior":"Isolated","invert":false}"#)
        ),
        Refused("post_processor.type", "is \"RobertaProcessing\"", .unsupported) {
            $0.members["post_processor"] = "{\"type\": \"RobertaProcessing\"}"
        },
        Refused("post_processor.single", "has no text") {
            $0.members["post_processor"] = "{\"type\": \"TemplateProcessing\", \"single\": []}"
        },
        Refused("post_processor.single[0].SpecialToken.id", "is \"<s>\"; expected a token listed") {
            $0.members["post_processor"] =
                #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}],"special_tokens":{}}"#
        },
        Refused("post_processor.special_tokens.<s>.ids", "holds 263; expected token ids from 0 to 262") {
            $0.members["post_processor"] =
                #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}],"special_tokens":{"<s>":{"ids":[263]}}}"#
        },
    ]

    @Test(arguments: refused)
    func refusesWithKeyAndExpectation(_ refused: Refused) throws {
        var small = SmallTokenizer()
        refused.change(&small)
        let error = try #require(throws: ModelFileError.self) { try small.load() }
        #expect(error.item == refused.key, "\(error)")
        #expect(error.description.contains(refused.says), "\(error)")
        #expect(error.kind == refused.kind, "\(error)")
        #expect(error.file.hasSuffix(".json"))
    }

    @Test func missingFiles() throws {
        let error = try #require(throws: ModelFileError.self) { try BPETokenizer(path: "/nowhere/tokenizer.json") }
        #expect(error.description == "/nowhere/tokenizer.json: cannot open: No such file or directory")
    }

    /// Damage gives an error, or a tokenizer that works on any text: never a crash.
    @Test func damagedFilesNeverCrash() throws {
        var small = SmallTokenizer()
        small.members["post_processor"] = """
            {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],\
            "special_tokens":{"<s>":{"ids":[261]}}}
            """
        Self.splitting(
            #"{"type":"Split","pattern":{"Regex":" ?[^\\s\\p{L}]+|\\p{L}{1,3}|\\s+"},"behavior":"Isolated","invert":false}"#
        )(&small)
        let valid = Array(small.text.utf8)
        var random = SeededGenerator(seed: 5)
        var loaded = 0
        for round in 0..<2000 {
            var bytes = valid
            if round % 8 == 0 {
                bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            } else {
                for _ in 0..<Int.random(in: 1...2, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    // Mostly what a file could hold, so that damage gets past the JSON parser.
                    bytes[place] =
                        round % 2 == 0
                        ? UInt8.random(in: 0x20...0x7E, using: &random)
                        : bytes[bytes.indices.randomElement(using: &random)!]
                }
            }
            do {
                let tokenizer = try SmallTokenizer.load(bytes)
                loaded += 1
                let ids = try tokenizer.encode("hello <s> wörld 42\u{85}")
                _ = try tokenizer.decode(ids)
            } catch is ModelFileError {
            } catch is TokenizerError {
            }
        }
        #expect(loaded > 20 && loaded < 1500, "\(loaded)")
    }
}
