import Core
import Testing

@testable import API

@Suite struct ChoiceTextTests {
    private func text(_ pieces: [AnswerPiece]) -> [String] {
        pieces.map { String(decoding: $0.text, as: UTF8.self) }
    }

    private func choice(stops: [String] = [], logprobs: Int? = nil, offset: Int = 0) -> ChoiceText {
        ChoiceText(codec: FakeCodec(), stops: stops, chains: 4, logprobs: logprobs, offset: offset)
    }

    private func token(_ id: TokenID, chains: Int = 4) -> GeneratedToken {
        GeneratedToken(
            id: id,
            chains: chains,
            logprobs: TokenLogprobs(chosen: .init(id: id, logprob: -1), top: [.init(id: id, logprob: -1)])
        )
    }

    @Test func holdsBackAnIncompleteCharacter() {
        var choice = choice()
        #expect(text(choice.take(token(0xE2))) == [])
        #expect(text(choice.take(token(0x82))) == [])
        #expect(text(choice.take(token(0xAC))) == ["€"])
        #expect(text(choice.take(token(0xF0))) == [])
        let last = choice.end(.length)
        #expect(text(last) == ["\u{FFFD}"])
        #expect(last.last?.finish == .length)
        #expect(choice.tokenCount == 4)
    }

    @Test func holdsBackWhatCouldBecomeAStopString() {
        var choice = choice(stops: ["\n\nEnd"])
        let results = "a\n\nEx".utf8.map { text(choice.take(token(TokenID($0)))) }
        #expect(results == [["a"], [], [], [], ["\n\nEx"]])
        #expect(text(choice.take(token(0x0A))) == [])
        #expect(text(choice.end(.stop)) == ["\n"])
    }

    @Test func endsBeforeAStopString() {
        var choice = choice(stops: ["€nd"])
        let results = "ab€nd!".utf8.map { text(choice.take(token(TokenID($0)))) }
        #expect(results == [["a"], ["b"], [], [], [], [], [""], []])
        #expect(choice.finish == .stop)
        #expect(choice.tokenCount == 7, "the token that completes the stop string counts, what follows does not")
        #expect(choice.end(.length).isEmpty)
        #expect(choice.finish == .stop)
    }

    @Test func findsAStopStringInTheMiddleOfAToken() {
        // The token is "stop"; its middle is the stop string.
        var choice = choice(stops: ["to"])
        let pieces = choice.take(token(FakeCodec().encode("stop")[0]))
        #expect(text(pieces) == ["s"])
        #expect(pieces.last?.finish == .stop)
    }

    @Test func findsAStopStringThatOnlyRepairCompletes() {
        var choice = choice(stops: ["\u{FFFD}"])
        #expect(text(choice.take(token(0xE2))) == [])
        let last = choice.end(.length)
        #expect(text(last) == [""])
        #expect(last.last?.finish == .stop)
    }

    @Test func splitsPiecesWhereTheChainCountChanges() {
        var choice = choice(stops: ["abc!"])
        #expect(choice.take(token(97, chains: 1)).isEmpty)
        #expect(choice.take(token(98, chains: 2)).isEmpty)
        #expect(choice.take(token(99, chains: 2)).isEmpty)
        let pieces = choice.take(token(100, chains: 4))
        #expect(text(pieces) == ["a", "bc", "d"])
        #expect(pieces.map(\.chains) == [1, 2, 4])
        #expect(choice.chainTokens == [1, 2, 0, 1])
    }

    /// Two tokens make one character: it has the size of the one that completed it, but each entry stands in a piece of
    /// its own token's size.
    @Test func aTokenWithoutTextKeepsItsEntryApart() {
        for (logprobs, chains, texts) in [(nil, [4], ["é"]), (0, [1, 4], ["", "é"])] as [(Int?, [Int], [String])] {
            var choice = choice(logprobs: logprobs)
            #expect(choice.take(token(0xC3, chains: 1)).isEmpty)
            let pieces = choice.take(token(0xA9, chains: 4))
            #expect(text(pieces) == texts)
            #expect(pieces.map(\.chains) == chains)
            #expect(pieces.map(\.entries.count) == (logprobs == nil ? [0] : [1, 1]))
        }
    }

    /// "stop" is one token; of its text "sto" comes out first, with "p" held back.
    @Test func keepsTheChainCountOfAPartlyReleasedToken() {
        var choice = choice(stops: ["pq"])
        let first = choice.take(token(FakeCodec().encode("stop")[0], chains: 3))
        #expect(text(first) == ["sto"])
        let second = choice.take(token(97, chains: 1))
        #expect(text(second) == ["p", "a"])
        #expect(second.map(\.chains) == [3, 1])
    }

    @Test func everyTokenHasOneEntryWhereItsTextBegins() {
        var choice = choice(stops: ["zz"], logprobs: 1, offset: 10)
        let ids: [TokenID] = [0x61, 0xE2, 0x82, 0xAC, FakeCodec.startOfText, 0x62]
        let pieces = ids.flatMap { choice.take(token($0)) } + choice.end(.stop)
        let entries = pieces.flatMap(\.entries)
        #expect(entries.map(\.token) == ["a", "bytes:\\xe2", "bytes:\\x82", "bytes:\\xac", "<|startoftext|>", "b"])
        #expect(entries.map(\.offset) == [10, 11, 11, 11, 12, 12])
    }

    @Test func entriesBehindAStopStringPointToTheEnd() {
        var choice = choice(stops: ["zzz"], logprobs: 0)
        let pieces = "azzz".utf8.flatMap { choice.take(token(TokenID($0))) }
        #expect(text(pieces).joined() == "a")
        #expect(pieces.flatMap(\.entries).map(\.token) == ["a", "z", "z", "z"])
        #expect(pieces.flatMap(\.entries).map(\.offset) == [0, 1, 1, 1])
    }
}
