import Core
import Testing

@testable import API

@Suite struct CompletionRequestTests {
    private func decode(
        _ fields: String,
        headers: CompletionHeaders = CompletionHeaders(),
        options: APIOptions = APIOptions()
    ) throws(APIError) -> CompletionRequest {
        try CompletionRequest.decode(body: Array("{\(fields)}".utf8), headers: headers, model: .fake, options: options)
    }

    private func expected(_ change: (inout CompletionRequest) -> Void) -> CompletionRequest {
        var request = CompletionRequest(model: "catena", prompts: [.text("a")], chains: .auto)
        change(&request)
        return request
    }

    @Test func defaults() throws {
        #expect(try decode(#""prompt":"a""#) == expected { _ in })
        let request = try decode(#""prompt":"a""#)
        #expect(request.maxTokens == 16)
        #expect(request.temperature == 1)
    }

    struct Good: Sendable, CustomTestStringConvertible {
        var fields: String
        var change: @Sendable (inout CompletionRequest) -> Void
        var testDescription: String { fields }
        init(_ fields: String, _ change: @escaping @Sendable (inout CompletionRequest) -> Void) {
            self.fields = fields
            self.change = change
        }
    }

    @Test(arguments: [
        Good(#""model":"catena""#) { _ in },
        Good(#""model":"catena:3""#) {
            $0.model = "catena:3"
            $0.chains = .fixed(3)
        },
        Good(#""max_tokens":0"#) { $0.maxTokens = 0 },
        Good(#""max_tokens":20.0"#) { $0.maxTokens = 20 },
        Good(#""max_tokens":null"#) { _ in },
        Good(#""temperature":0,"top_p":0.5,"top_k":40,"min_p":0.1"#) {
            $0.temperature = 0
            $0.topP = 0.5
            $0.topK = 40
            $0.minP = 0.1
        },
        Good(#""temperature":2,"top_p":1,"top_k":-1,"min_p":1"#) {
            $0.temperature = 2
            $0.minP = 1
        },
        Good(#""top_p":0"#) { $0.topK = 1 },
        Good(#""seed":0"#) { $0.seed = 0 },
        Good(#""seed":-1"#) { $0.seed = .max },
        Good(#""seed":9007199254740993"#) { $0.seed = 9_007_199_254_740_993 },
        Good(#""seed":18446744073709551615"#) { $0.seed = .max },
        Good(#""n":3"#) {
            $0.n = 3
            $0.bestOf = 3
        },
        Good(#""n":2,"best_of":2,"stream":true"#) {
            $0.n = 2
            $0.bestOf = 2
            $0.stream = true
        },
        Good(#""n":2,"best_of":16"#) {
            $0.n = 2
            $0.bestOf = 16
        },
        Good(#""best_of":3"#) { $0.bestOf = 3 },
        Good(#""stream":true"#) { $0.stream = true },
        Good(#""stream":true,"stream_options":{"include_usage":true}"#) {
            $0.stream = true
            $0.includeUsage = true
        },
        Good(#""stream":true,"stream_options":{"include_usage":null,"more":1}"#) { $0.stream = true },
        Good(#""stream_options":null"#) { _ in },
        Good(#""logprobs":0"#) { $0.logprobs = 0 },
        Good(#""logprobs":20,"echo":true"#) {
            $0.logprobs = 20
            $0.echo = true
        },
        Good(#""stop":"\n""#) { $0.stop = ["\n"] },
        Good(#""stop":["a","é"]"#) { $0.stop = ["a", "é"] },
        Good(#""stop":[]"#) { _ in },
        Good(#""stop":null"#) { _ in },
        Good(#""stop_token_ids":[1,2,1],"ignore_eos":true"#) {
            $0.stopTokens = [1, 2]
            $0.ignoreEndTokens = true
        },
        Good(#""chains":2"#) { $0.chains = .fixed(2) },
        Good(#""chains":"1-3""#) { $0.chains = .range(1...3) },
        Good(#""chains":"auto""#) { _ in },
        Good(#""session_id":"user-1""#) { $0.sessionID = "user-1" },
        Good(#""user":"me","unknown":{"x":[1]}"#) { _ in },
        Good(
            #""presence_penalty":0,"frequency_penalty":0.0,"repetition_penalty":1,"typical_p":1.0,"min_tokens":0"#
        ) { _ in },
        Good(#""logit_bias":{},"suffix":null"#) { _ in },
        Good(#""presence_penalty":-2,"frequency_penalty":2,"repetition_penalty":1.25,"typical_p":0.5"#) {
            $0.presencePenalty = -2
            $0.frequencyPenalty = 2
            $0.repetitionPenalty = 1.25
            $0.typicalP = 0.5
        },
        Good(#""repetition_penalty":0.1,"typical_p":0,"min_tokens":16"#) {
            $0.repetitionPenalty = 0.1
            $0.typicalP = 0
            $0.minTokens = 16
        },
        Good(#""logit_bias":{"0":-100,"274":100.0,"5":0.5}"#) { $0.logitBias = [0: -100, 274: 100, 5: 0.5] },
        Good(#""priority":null,"cache_salt":null,"latency_budget_ms":null,"slo":null,"best_effort":null"#) { _ in },
        Good(#""priority":0"#) { $0.priority = 0 },
        Good(#""priority":-100,"cache_salt":"tenant é""#) {
            $0.priority = -100
            $0.cacheSalt = "tenant é"
        },
        Good(#""priority":100.0,"cache_salt":"""#) { $0.priority = 100 },
        Good(#""latency_budget_ms":800,"slo":{"ttft_ms":12.5,"tpot_ms":1,"more":0},"best_effort":true"#) {
            $0.budget = LatencyBudget(
                whole: .milliseconds(800),
                firstToken: .microseconds(12_500),
                perToken: .milliseconds(1),
                isBestEffort: true
            )
        },
        Good(#""latency_budget_ms":100,"chains":2"#) {
            $0.budget.whole = .milliseconds(100)
            $0.chains = .fixed(2)
        },
    ])
    func accepts(good: Good) throws {
        #expect(try decode(#""prompt":"a","# + good.fields) == expected(good.change))
    }

    @Test(
        arguments: [
            (#""""#, [.text("")]),
            (#""a\nb""#, [.text("a\nb")]),
            (#"["a","b"]"#, [.text("a"), .text("b")]),
            ("[1,2,274]", [.tokens([1, 2, 274])]),
            ("[[1],[2,3]]", [.tokens([1]), .tokens([2, 3])]),
        ] as [(String, [CompletionRequest.Prompt])]
    )
    func promptForms(json: String, prompts: [CompletionRequest.Prompt]) throws {
        #expect(try decode(#""prompt":"# + json).prompts == prompts)
    }

    @Test(arguments: [
        // field, message, param
        ("", "'prompt' is missing; it must be \(forms).", "prompt"),
        (#""prompt":null"#, "'prompt' is missing; it must be \(forms).", "prompt"),
        (#""prompt":12"#, "'prompt' must be \(forms); got the number 12.", "prompt"),
        (#""prompt":{"a":1}"#, "'prompt' must be \(forms); got an object.", "prompt"),
        (#""prompt":[]"#, "'prompt' must be \(forms), not empty; got an empty list.", "prompt"),
        (#""prompt":[null]"#, "'prompt' must be \(forms), not empty; got a list that begins with null.", "prompt"),
        (#""prompt":["a",1]"#, "'prompt[1]' must be a string, as the first element is; got the number 1.", "prompt"),
        (#""prompt":[1,"a"]"#, "'prompt[1]' must be a token id from 0 to 274; got the string \"a\".", "prompt"),
        (#""prompt":[275]"#, "'prompt[0]' must be a token id from 0 to 274; got the number 275.", "prompt"),
        (#""prompt":[-1]"#, "'prompt[0]' must be a token id from 0 to 274; got the number -1.", "prompt"),
        (#""prompt":[1.5]"#, "'prompt[0]' must be a token id from 0 to 274; got the number 1.5.", "prompt"),
        (#""prompt":[[1],[2,300]]"#, "'prompt[1][1]' must be a token id from 0 to 274; got the number 300.", "prompt"),
        (
            #""prompt":[[1],[]]"#,
            "'prompt[1]' must be a list of at least one token id, as 'prompt' is a list of lists; got an empty list.",
            "prompt"
        ),
    ])
    func refusesPrompts(fields: String, message: String, param: String) {
        #expect(throws: APIError.invalid(message, param: param)) { try decode(fields) }
    }

    private static let biasNames = "The names in 'logit_bias' must be token ids from 0 to 274 in decimal digits"
    private static let forms = "a string, a list of strings, a list of token ids or a list of such lists"

    @Test(arguments: [
        (#""model":1"#, "'model' must be a string; got the number 1.", "model"),
        (#""max_tokens":"12""#, "'max_tokens' must be an integer of at least 0; got the string \"12\".", "max_tokens"),
        (#""max_tokens":-1"#, "'max_tokens' must be an integer of at least 0; got the number -1.", "max_tokens"),
        (#""max_tokens":1.5"#, "'max_tokens' must be an integer of at least 0; got the number 1.5.", "max_tokens"),
        (#""max_tokens":1e30"#, "'max_tokens' must be an integer of at least 0; got the number 1e+30.", "max_tokens"),
        (#""max_tokens":true"#, "'max_tokens' must be an integer of at least 0; got true.", "max_tokens"),
        (
            #""temperature":2.1"#, "'temperature' must be a number from 0.0 to 2.0; got the number 2.1.", "temperature"
        ),
        (#""temperature":[]"#, "'temperature' must be a number from 0.0 to 2.0; got an empty list.", "temperature"),
        (#""top_p":1.01"#, "'top_p' must be a number from 0.0 to 1.0; got the number 1.01.", "top_p"),
        (#""top_k":-2"#, "'top_k' must be an integer of at least -1; got the number -2.", "top_k"),
        (#""min_p":-0.5"#, "'min_p' must be a number from 0.0 to 1.0; got the number -0.5.", "min_p"),
        (#""seed":1.5"#, "'seed' must be an integer of 64 bits; got the number 1.5.", "seed"),
        (#""n":0"#, "'n' must be an integer from 1 to 16; got the number 0.", "n"),
        (#""n":17"#, "'n' must be an integer from 1 to 16; got the number 17.", "n"),
        (#""n":3,"best_of":2"#, "'best_of' must be at least n (3); got 2.", "best_of"),
        (#""best_of":17"#, "'best_of' must be an integer from 1 to 16; got the number 17.", "best_of"),
        (
            #""best_of":3,"n":2,"stream":true"#,
            "'best_of' (3) above n (2) cannot be streamed: which answers are the best is known at their end; leave "
                + "'best_of' or 'stream' out.",
            "best_of"
        ),
        (#""stream":"yes""#, "'stream' must be true or false; got the string \"yes\".", "stream"),
        (
            #""stream_options":{"include_usage":true}"#,
            "'stream_options' is only for requests with 'stream': true.", "stream_options"
        ),
        (
            #""stream":true,"stream_options":1"#, "'stream_options' must be an object; got the number 1.",
            "stream_options"
        ),
        (#""logprobs":21"#, "'logprobs' must be an integer from 0 to 20; got the number 21.", "logprobs"),
        (#""logprobs":true"#, "'logprobs' must be an integer from 0 to 20; got true.", "logprobs"),
        (#""echo":1"#, "'echo' must be true or false; got the number 1.", "echo"),
        (#""stop":"""#, "'stop' must be a string of 1 to 256 bytes; got the string \"\".", "stop"),
        (#""stop":["a",""]"#, "'stop[1]' must be a string of 1 to 256 bytes; got the string \"\".", "stop"),
        (#""stop":["a",7]"#, "'stop[1]' must be a string of 1 to 256 bytes; got the number 7.", "stop"),
        (#""stop":7"#, "'stop' must be a string or a list of strings; got the number 7.", "stop"),
        (
            #""stop":["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]"#,
            "'stop' may have at most 16 strings; got 17.", "stop"
        ),
        (
            #""stop_token_ids":[999]"#, "'stop_token_ids[0]' must be a token id from 0 to 274; got the number 999.",
            "stop_token_ids"
        ),
        (
            #""stop_token_ids":"a""#, "'stop_token_ids' must be a list of at most 16 token ids; got the string \"a\".",
            "stop_token_ids"
        ),
        (#""user":1"#, "'user' must be a string; got the number 1.", "user"),
        (
            #""session_id":"a b""#,
            "'session_id' must be 1 to 128 visible ASCII characters; got the string \"a b\".", "session_id"
        ),
        (
            #""session_id":"a","n":2"#,
            "A session continues one answer: it takes one prompt and n = 1; this request asks for 2 answers.",
            "session_id"
        ),
        (
            #""session_id":"a","best_of":2"#,
            "A session continues one answer: it takes one prompt and n = 1; this request asks for 2 answers.",
            "session_id"
        ),
        (#""priority":101"#, "'priority' must be an integer from -100 to 100; got the number 101.", "priority"),
        (#""priority":0.5"#, "'priority' must be an integer from -100 to 100; got the number 0.5.", "priority"),
        (#""cache_salt":7"#, "'cache_salt' must be a string; got the number 7.", "cache_salt"),
        (
            #""cache_salt":"\#(String(repeating: "é", count: 129))""#,
            "'cache_salt' must be a string of at most 256 bytes; got 258 bytes.", "cache_salt"
        ),
        (
            #""presence_penalty":"x""#,
            "'presence_penalty' must be a number from -2.0 to 2.0; got the string \"x\".", "presence_penalty"
        ),
        (
            #""presence_penalty":2.5"#,
            "'presence_penalty' must be a number from -2.0 to 2.0; got the number 2.5.", "presence_penalty"
        ),
        (
            #""frequency_penalty":-3"#,
            "'frequency_penalty' must be a number from -2.0 to 2.0; got the number -3.", "frequency_penalty"
        ),
        (
            #""repetition_penalty":0"#,
            "'repetition_penalty' must be a number from 0.1 to 10.0; got the number 0.", "repetition_penalty"
        ),
        (#""typical_p":1.5"#, "'typical_p' must be a number from 0.0 to 1.0; got the number 1.5.", "typical_p"),
        (#""min_tokens":-1"#, "'min_tokens' must be an integer of at least 0; got the number -1.", "min_tokens"),
        (#""min_tokens":17"#, "'min_tokens' must be at most 'max_tokens' (16); got 17.", "min_tokens"),
        (#""logit_bias":[]"#, "'logit_bias' must be an object; got an empty list.", "logit_bias"),
        (#""logit_bias":{"275":1}"#, "\(biasNames); got \"275\".", "logit_bias"),
        (#""logit_bias":{"-1":1}"#, "\(biasNames); got \"-1\".", "logit_bias"),
        (#""logit_bias":{"05":1}"#, "\(biasNames); got \"05\".", "logit_bias"),
        (#""logit_bias":{"the":1}"#, "\(biasNames); got \"the\".", "logit_bias"),
        (
            #""logit_bias":{"5":101}"#, "'logit_bias' must give token 5 a number from -100 to 100; got the number 101.",
            "logit_bias"
        ),
        (
            #""logit_bias":{"5":null}"#, "'logit_bias' must give token 5 a number from -100 to 100; got null.",
            "logit_bias"
        ),
    ])
    func refuses(fields: String, message: String, param: String) {
        #expect(throws: APIError.invalid(message, param: param)) { try decode(#""prompt":"a","# + fields) }
    }

    @Test func refusesASuffix() throws {
        let message = "'suffix' is not supported by Catena; leave it out or give null. Got the string \"x\"."
        #expect(throws: APIError.invalid(message, param: "suffix", code: "unsupported_parameter")) {
            try decode(#""prompt":"a","suffix":"x""#)
        }
        #expect(try decode(#""prompt":"a","suffix":"""#) == expected { _ in })
    }

    /// An answer in another form than the one asked for would be a wrong one, also where OpenAI's API has no such field.
    @Test(arguments: [
        (
            #""response_format":{"type":"json_object"}"#,
            "'response_format.type' must be \"text\": Catena does not hold answers to another form; got the string "
                + "\"json_object\".",
            "response_format"
        ),
        (
            #""response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}"#,
            "'response_format.type' must be \"text\": Catena does not hold answers to another form; got the string "
                + "\"json_schema\".",
            "response_format"
        ),
        (
            #""response_format":{}"#,
            "'response_format.type' must be \"text\": Catena does not hold answers to another form; got null.",
            "response_format"
        ),
        (
            #""tools":[{"type":"function"}]"#,
            "'tools' is not supported by Catena; leave it out or give null. Got a list.", "tools"
        ),
    ])
    func refusesOtherForms(fields: String, message: String, param: String) {
        #expect(throws: APIError.invalid(message, param: param, code: "unsupported_parameter")) {
            try decode(#""prompt":"a","# + fields)
        }
    }

    @Test func takesTheFormOfText() throws {
        let fields = #""prompt":"a","response_format":{"type":"text"},"tools":[],"functions":null"#
        #expect(try decode(fields) == expected { _ in })
    }

    @Test(
        arguments: [
            ("[1]", "The body must be a JSON object; got a list.", nil),
            (
                "", "The body is not valid JSON: the end of the body where a value should be, at line 1, column 1.",
                "bad"
            ),
            (
                "{\"a\":1,}", "The body is not valid JSON: '}' where a name in quotes should be, at line 1, column 8.",
                "bad"
            ),
        ] as [(String, String, String?)]
    )
    func refusesBodies(body: String, message: String, code: String?) {
        #expect(throws: APIError.invalid(message, code: code == nil ? nil : "invalid_json")) {
            try CompletionRequest.decode(
                body: Array(body.utf8),
                headers: CompletionHeaders(),
                model: .fake,
                options: APIOptions()
            )
        }
    }

    @Test func boundsTheNumberOfAnswers() throws {
        var options = APIOptions()
        options.maximumPrompts = 3
        options.maximumChoices = 5
        let many = APIError.invalid("'prompt' may have at most 3 prompts; got 4.", param: "prompt")
        #expect(throws: many) { try decode(#""prompt":["a","b","c","d"]"#, options: options) }
        #expect(throws: many) { try decode(#""prompt":[[1],[1],[1],[1]]"#, options: options) }
        #expect(try decode(#""prompt":["a","b"],"n":2"#, options: options).candidateCount == 4)
        let choices = "3 prompts with n = 2 make 6 answers; one request may ask for 5."
        #expect(throws: APIError.invalid(choices, param: "n")) {
            try decode(#""prompt":["a","b","c"],"n":2"#, options: options)
        }
        let candidates = "2 prompts with best_of = 3 make 6 answers; one request may ask for 5."
        #expect(throws: APIError.invalid(candidates, param: "best_of")) {
            try decode(#""prompt":["a","b"],"best_of":3"#, options: options)
        }
    }

    @Test(arguments: ["gpt-4", "catena:", "catena:x", "catena:-1", "Catena", "catena:1:2", ""])
    func refusesUnknownModels(name: String) throws {
        let error = #expect(throws: APIError.self) { try decode(#""prompt":"a","model":""# + name + "\"") }
        #expect(error?.status == 404)
        #expect(error?.code == "model_not_found")
        #expect(error?.param == "model")
        var options = APIOptions()
        options.acceptAnyModel = true
        let request = try decode(#""prompt":"a","model":""# + name + "\"", options: options)
        #expect(request.model == name)
        #expect(request.chains == .auto)
    }

    @Test func cutsLongValuesInMessages() {
        let error = #expect(throws: APIError.self) {
            try decode(#""prompt":"a","max_tokens":""# + String(repeating: "x", count: 5000) + "\"")
        }
        #expect(error.map { $0.message.utf8.count < 200 } == true)
    }

    @Test func samplingTakesEveryRule() throws {
        let request = try decode(
            #""prompt":"a","temperature":0.5,"top_k":3,"top_p":0.25,"min_p":0.125,"typical_p":0.75,"#
                + #""repetition_penalty":1.5,"presence_penalty":1,"frequency_penalty":-1,"logit_bias":{"7":3}"#
        )
        let wanted = SamplingParameters(
            temperature: 0.5,
            topK: 3,
            topP: 0.25,
            minP: 0.125,
            typicalP: 0.75,
            repetitionPenalty: 1.5,
            presencePenalty: 1,
            frequencyPenalty: -1,
            bias: [7: 3],
            seed: 9
        )
        #expect(request.sampling(number: 0, seed: 9) == wanted)
    }

    @Test func seedsOfSeveralAnswersDiffer() throws {
        let request = try decode(#""prompt":"a","n":16"#)
        let seeds = (0..<16).map { request.sampling(number: $0, seed: 7).seed }
        #expect(seeds[0] == 7, "n = 1 and the first of n are the same answer")
        #expect(Set(seeds).count == 16)
    }
}
