import Core
import HTTP1
import JSON
import TestSupport
import Testing

@testable import API

/// Streamed text joined is the text without streaming, for random answers: multi-byte characters cut by tokens,
/// invalid bytes, stop strings across the borders of tokens, echo, log probabilities, any grouping into steps.
@Suite struct StreamEqualityTests {
    private struct Case {
        var fields: String
        var stops: [String]
        var tokens: [TokenID]
        var reason: FinishReason
    }

    private func randomCase(_ random: inout SeededGenerator) -> Case {
        // A small alphabet, so that stop strings do occur; pieces that cut characters, so that repairs do.
        let alphabet: [TokenID] =
            [97, 98, 10, 0xE2, 0x82, 0xAC, 0xF0, 0xFF] + (256...FakeCodec.startOfText).map { $0 }
        let tokens = (0..<Int.random(in: 0...14, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
        let words = [
            "a", "b", "ab", "ba\n", "\n", "\n\n", "€", "é", "\u{301}", "🦜a", "stop", "op", "st", "\u{FFFD}", "xx",
        ]
        let stops = (0..<Int.random(in: 0...2, using: &random)).map { _ in words.randomElement(using: &random)! }
        let list = stops.map { text in
            var json = JSONWriter()
            json.string(text)
            return String(decoding: json.bytes, as: UTF8.self)
        }
        let prompt = [#""Once é""#, "[97,226,130]", #""""#].randomElement(using: &random)!
        let logprobs = ["null", "0", "2"].randomElement(using: &random)!
        let fields =
            #""prompt":\#(prompt),"stop":[\#(list.joined(separator: ","))],"echo":\#(Bool.random(using: &random)),"#
            + #""logprobs":\#(logprobs)"#
        let reason: FinishReason = tokens.last == FakeCodec.endOfText ? .stop : .length
        return Case(fields: fields, stops: stops, tokens: tokens, reason: reason)
    }

    private func events(_ row: Case, for request: GenerationRequest) -> [GenerationEvent] {
        func logprobs(_ id: TokenID, _ position: Int) -> TokenLogprobs? {
            request.logprobs.map { count in
                let top = (0..<count).map { TokenLogprobs.Entry(id: TokenID(97 + $0), logprob: -Float($0 + 1)) }
                return TokenLogprobs(chosen: .init(id: id, logprob: -Float(position) / 7), top: top)
            }
        }
        var events: [GenerationEvent] = .admitted()
        if request.promptLogprobs {
            events.append(
                .promptLogprobs(
                    request.prompt.enumerated().map { $0.offset == 0 ? nil : logprobs($0.element, $0.offset) }
                )
            )
        }
        for (index, id) in row.tokens.enumerated() {
            events.append(.token(GeneratedToken(id: id, chains: 1 + index % 4, logprobs: logprobs(id, index))))
        }
        return events + [.finished(row.reason)]
    }

    /// Runs a case with its events in random groups.
    private func run(_ row: Case, stream: Bool, _ random: inout SeededGenerator) -> (FakeResponder, FakeService) {
        let fixture = Fixture()
        let responder = fixture.complete(row.fields + #","stream":\#(stream),"max_tokens":14"#)
        var rest = events(row, for: fixture.service.submitted[0])[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...4, using: &random)
            fixture.service.send(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return (responder, fixture.service)
    }

    @Test(arguments: 0..<8)
    func streamsAreEqualToWholeAnswers(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(100 + seed))
        var stopped = 0
        for _ in 0..<300 {
            let row = randomCase(&random)
            let (whole, _) = run(row, stream: false, &random)
            let (streamed, _) = run(row, stream: true, &random)
            let comment = Comment("\(row)")
            #expect(whole.mistakes.isEmpty && streamed.mistakes.isEmpty && streamed.isFinished, comment)

            let choice = whole.json["choices"][0]
            let chunks = streamed.chunks.map { $0["choices"][0] }
            let text = try #require(choice["text"].string, comment)
            let pieces = chunks.compactMap { $0["text"].string }
            #expect(pieces.count == chunks.count)
            #expect(Array(pieces.joined().utf8) == Array(text.utf8), comment)
            #expect(chunks.last?["finish_reason"].string == choice["finish_reason"].string, comment)
            #expect(chunks.dropLast().allSatisfy { $0["finish_reason"].isNull }, comment)
            let isEmpty = chunks.map { $0["text"].string == "" && $0["logprobs"]["tokens"].count == 0 }
            #expect(!isEmpty.dropLast().contains(true), "only the end may be empty: \(row)")
            for list in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
                let joined = chunks.flatMap { $0["logprobs"][list].list.map(\.description) }
                #expect(joined == choice["logprobs"][list].list.map(\.description), comment)
            }
            #expect(Array(text.utf8) == Array(expectedText(row).utf8), comment)
            stopped += choice["finish_reason"].string == "stop" ? 1 : 0
        }
        #expect(stopped > 40, "stop strings should occur")
    }

    /// The text by definition: everything decoded at once, cut at the stop string that is complete first, the longest
    /// of those that are complete at the same byte.
    private func expectedText(_ row: Case) -> String {
        let generated = Array(FakeCodec().decode(row.tokens).utf8)
        let stops = row.stops.map { Array($0.utf8) }
        var cut = generated.count
        for end in generated.indices.map({ $0 + 1 }) {
            let lengths = stops.filter { generated[..<end].reversed().starts(with: $0.reversed()) }.map(\.count)
            if let length = lengths.max() {
                cut = end - length
                break
            }
        }
        var echoed = ""
        if row.fields.contains(#""echo":true"#) {
            if row.fields.contains("Once") { echoed = "Once é" }
            if row.fields.contains("226") { echoed = "a\u{FFFD}" }
        }
        return echoed + String(decoding: generated[..<cut], as: UTF8.self)
    }
}
