import ModelIO
import Testing

@testable import Tokenizer

@Suite struct BPETokenizerTests {
    @Test func encodesAndDecodes() throws {
        let tokenizer = try SmallTokenizer().load()
        #expect(tokenizer.vocabularySize == 263)
        #expect(tokenizer.specialIDs == [261])
        #expect(try tokenizer.encode("hello world") == [259, 260, 111, 114, 108, 100])
        #expect(try tokenizer.encode("") == [])
        #expect(try tokenizer.encode("\0é") == [0, 0xC3, 0xA9])
        #expect(try tokenizer.decode([259, 260]) == "hello w")
        #expect(try tokenizer.decode([]) == "")
        #expect(try Array(tokenizer.bytes(of: 260)) == [0x20, 0x77])
        #expect(try tokenizer.tokenString(260) == "Ġw")
        #expect(tokenizer.id(of: "Ġw") == 260 && tokenizer.id(of: "<s>") == 261 && tokenizer.id(of: "nothing") == nil)
    }

    @Test func specialTokensOnRequest() throws {
        let tokenizer = try SmallTokenizer().load()
        #expect(try tokenizer.encode("a<s>b<x>") == [97, 261, 98, 262])
        #expect(try tokenizer.encode("a<s>b<x>", parseSpecial: false) == [97, 60, 115, 62, 98, 262])
        #expect(try tokenizer.decode([97, 261, 98, 262]) == "ab<x>")
        #expect(try tokenizer.decode([97, 261, 98, 262], skipSpecial: false) == "a<s>b<x>")
        #expect(
            tokenizer.isSpecial(261) && !tokenizer.isSpecial(262) && !tokenizer.isSpecial(-1)
                && !tokenizer.isSpecial(263)
        )
    }

    @Test func templateOnRequest() throws {
        var small = SmallTokenizer()
        small.members["post_processor"] = """
            {"type": "Sequence", "processors": [{"type": "ByteLevel", "trim_offsets": false}, {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "<x>", "type_id": 0}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [261], "tokens":
            ["<s>"]}, "<x>": {"id": "<x>", "ids": [262, 0], "tokens": ["<x>", "a"]}}}]}
            """
        let tokenizer = try small.load()
        #expect(try tokenizer.encode("a") == [261, 97, 262, 0])
        #expect(try tokenizer.encode("a", addSpecial: false) == [97])
    }

    @Test(arguments: [-1, 263, .max, .min] as [Int32])
    func unknownIDs(id: Int32) throws {
        let tokenizer = try SmallTokenizer().load()
        let error = TokenizerError.unknownToken(id: id, vocabularySize: 263)
        #expect(throws: error) { try tokenizer.decode([97, id]) }
        #expect(throws: error) { try tokenizer.bytes(of: id) }
        #expect(throws: error) { try tokenizer.tokenString(id) }
        #expect(error.description == "no token has the id \(id); expected 0 to 262")
    }

    @Test func wholeWordsBeforeMerges() throws {
        var small = SmallTokenizer()
        // "ello" is a token that no merge makes.
        small.vocabulary["ello"] = 261
        small.addedTokens = []
        #expect(try small.load().encode("ello") == [101, 257, 111])
        small.modelMembers["ignore_merges"] = "true"
        #expect(try small.load().encode("ello hello") == [261, 32, 259])
    }

    @Test func mergesInBothSpellings() throws {
        var small = SmallTokenizer()
        small.modelMembers["merges"] = #"["h e", "l l", "he ll", "hell o", "Ġ w"]"#
        #expect(try small.load().encode("hello w") == [259, 260])
    }

    /// A text of one long word in time that is not quadratic: a scan at every merge would take many minutes here.
    @Test(.timeLimit(.minutes(5)), arguments: ["hell", "hello", "a", "lh", "<s", " "])
    func longWords(unit: String) throws {
        let tokenizer = try SmallTokenizer().load()
        let text = String(repeating: unit, count: 50_000)
        let ids = try tokenizer.encode(text)
        #expect(ids.count <= text.utf8.count && ids.count >= 50_000)
        #expect(try tokenizer.decode(ids) == text)
    }

    @Test func manyThreadsAtOnce() async throws {
        let tokenizer = try SmallTokenizer().load()
        let texts = (0..<200).map { String(repeating: "hello <x> wow \($0) ", count: $0 % 17 + 1) }
        let expected = try texts.map { try tokenizer.encode($0) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<1000 {
                group.addTask { try tokenizer.encode(texts[index % 200]) == expected[index % 200] }
            }
            for try await same in group { #expect(same) }
        }
    }
}
