import Core
import HTTP1
import Testing

@testable import API

/// `/tokenize`, `/detokenize` and `/tokenizer_info`.
@Suite struct TokensTests {
    private func post(_ path: String, _ fields: String, fixture: Fixture = Fixture()) -> FakeResponder {
        fixture.send(.post, path, headers: ["Content-Type": "application/json"], body: "{\(fields)}")
    }

    @Test(arguments: ["prompt", "content"]) func tokenizes(field: String) {
        let responder = post("/tokenize", #""\#(field)":"Once upon é","model":"catena:2","add_special_tokens":false"#)
        #expect(responder.response?.head.status == .ok)
        #expect(responder.json.names == ["count", "max_model_len", "tokens", "token_strs"])
        let tokens = FakeCodec().encode("Once upon é")
        #expect(responder.json["tokens"].list.map(\.int) == tokens.map { Int($0) })
        #expect(responder.json["count"].int == tokens.count)
        #expect(responder.json["max_model_len"].int == 64)
        #expect(responder.json["token_strs"].isNull)
    }

    @Test func tokensAsStrings() {
        let responder = post("/tokenize", #""prompt":"Once a","return_token_strs":true"#)
        #expect(responder.json["token_strs"].list.map(\.string) == ["Once", " a"])
        #expect(post("/tokenize", #""prompt":"<|endoftext|>""#).json["tokens"].list.map(\.int) == [273])
        #expect(post("/tokenize", #""prompt":"""#).json["count"].int == 0)
    }

    /// Longer than the context, which a client wants to know before it cuts.
    @Test func longTexts() {
        let text = String(repeating: "q", count: 5000)
        #expect(post("/tokenize", #""prompt":"\#(text)""#).json["count"].int == 5000)
    }

    @Test func bothNamesOfTheText() {
        #expect(post("/tokenize", #""prompt":"a","content":"a""#).json["count"].int == 1)
        #expect(post("/tokenize", #""prompt":null,"content":"a""#).json["count"].int == 1)
        // Canonically equivalent, and other tokens.
        let other = post("/tokenize", #""prompt":"\u00e9","content":"e\u0301""#)
        #expect(other.json["error"]["param"].string == "content")
    }

    @Test(arguments: [[], [97, 226, 130, 172, 98], [258, 271], [226], [271, 97]] as [[TokenID]])
    func detokenizes(tokens: [TokenID]) {
        let responder = post("/detokenize", #""tokens":\#(tokens)"#)
        #expect(responder.response?.head.status == .ok)
        #expect(responder.json.names == ["prompt", "content"])
        #expect(responder.json["prompt"].string == FakeCodec().decode(tokens))
        #expect(responder.json["content"].string == FakeCodec().decode(tokens))
    }

    @Test func specialTokensHaveTheirNames() {
        let tokens = "[97,\(FakeCodec.endOfText),98]"
        #expect(post("/detokenize", #""tokens":\#(tokens)"#).json["prompt"].string == "a<|endoftext|>b")
        let skipping = post("/detokenize", #""tokens":\#(tokens),"skip_special_tokens":true"#)
        #expect(skipping.json["prompt"].string == "ab")
    }

    @Test(arguments: [
        ("/tokenize", "", "'prompt' is missing; it must be a string ('content' does as well).", "prompt"),
        ("/tokenize", #""prompt":["a"]"#, "'prompt' must be a string; got a list.", "prompt"),
        ("/tokenize", #""content":1"#, "'content' must be a string; got the number 1.", "content"),
        (
            "/tokenize", #""prompt":"a","content":"b""#,
            "'prompt' and 'content' are the same field; give one of them.", "content"
        ),
        (
            "/tokenize", #""prompt":"a","add_special_tokens":1"#,
            "'add_special_tokens' must be true or false; got the number 1.", "add_special_tokens"
        ),
        (
            "/tokenize", #""content":"\u0007\u0007""#,
            "'content' cannot be tokenised: the pattern runs wild.", "content"
        ),
        ("/detokenize", "", "'tokens' is missing; it must be a list of token ids.", "tokens"),
        (
            "/detokenize", #""tokens":"a""#, "'tokens' must be a list of token ids; got the string \"a\".", "tokens"
        ),
        (
            "/detokenize", #""tokens":[1,275]"#,
            "'tokens[1]' must be a token id from 0 to 274; got the number 275.", "tokens"
        ),
        (
            "/detokenize", #""tokens":[],"skip_special_tokens":"x""#,
            "'skip_special_tokens' must be true or false; got the string \"x\".", "skip_special_tokens"
        ),
    ])
    func refuses(path: String, fields: String, message: String, param: String) {
        let responder = post(path, fields)
        #expect(responder.response?.head.status == .badRequest)
        #expect(responder.json["error"]["message"].string == message)
        #expect(responder.json["error"]["param"].string == param)
    }

    @Test(arguments: ["/tokenize", "/detokenize"]) func otherRefusals(path: String) {
        let unknown = post(path, #""model":"gpt-4","prompt":"a","tokens":[]"#)
        #expect(unknown.json["error"]["code"].string == "model_not_found")
        #expect(Fixture().send(.post, path, body: "{}").json["error"]["code"].string == "unsupported_media_type")
        #expect(post(path, "", fixture: Fixture(model: nil)).json["error"]["code"].string == "loading")
        #expect(Fixture().send(.get, path).response?.head.headers["allow"] == "POST, OPTIONS")
    }

    @Test func info() {
        let fixture = Fixture()
        fixture.state.drain()
        let json = fixture.send(.get, "/tokenizer_info").json
        #expect(json["tokenizer_class"].string == "PreTrainedTokenizerFast")
        #expect(json["model"].string == "catena")
        #expect(json["vocab_size"].int == 275)
        #expect(json["max_model_len"].int == 64 && json["model_max_length"].int == 64)
        #expect(json["bos_token"].string == "<|startoftext|>")
        #expect(json["eos_token"].string == "<|endoftext|>")
        #expect(json["pad_token"].isNull)
        #expect(json["special_tokens"].list.map { $0["id"].int } == [273, 274])
        #expect(json["special_tokens"][0]["content"].string == "<|endoftext|>")
        let loading = Fixture(model: nil).send(.get, "/tokenizer_info")
        #expect(loading.json["error"]["code"].string == "loading")
    }
}
