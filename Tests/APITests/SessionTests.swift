import Core
import TestSupport
import Testing

@testable import API

@Suite struct SessionTests {
    @Test(
        arguments: [
            ([], nil, nil), (["a"], nil, "a"), ([], "b", "b"), (["a"], "a", "a"), (["a", "a"], nil, "a"),
            ([String(repeating: "x", count: 128)], nil, String(repeating: "x", count: 128)),
        ] as [([String], String?, String?)]
    )
    func names(header: [String], body: String?, expected: String?) throws {
        #expect(try SessionName.resolve(header: header, body: body) == expected)
    }

    @Test(
        arguments: [
            (
                ["a"], "b",
                "The request names two sessions, \"a\" and \"b\"; 'X-Session-Id' and 'session_id' must be the same, or one of them absent."
            ),
            (
                ["a", "b"], nil,
                "The request names two sessions, \"a\" and \"b\"; 'X-Session-Id' and 'session_id' must be the same, or one of them absent."
            ),
            ([""], nil, "The header 'X-Session-Id' must be 1 to 128 visible ASCII characters; got the string \"\"."),
            ([], "é", "'session_id' must be 1 to 128 visible ASCII characters; got the string \"é\"."),
        ] as [([String], String?, String)]
    )
    func refusedNames(header: [String], body: String?, message: String) throws {
        let error = #expect(throws: APIError.self) { try SessionName.resolve(header: header, body: body) }
        #expect(error?.message == message)
        #expect(error?.status == 400)
    }

    @Test func refusesNamesThatAreTooLong() throws {
        #expect(throws: APIError.self) {
            try SessionName.resolve(header: [], body: String(repeating: "x", count: 129))
        }
    }

    private let codec = FakeCodec()

    /// The session wrote "ab" as two tokens where the vocabulary has one.
    @Test func keepsTheTokensOfASessionThatThePromptContinues() throws {
        let session: [TokenID] = [97, 98]
        let plain = codec.encode("ab time")
        #expect(!plain.starts(with: session))
        #expect(try PromptEncoder.encode("ab time", continuing: session, codec) == session + codec.encode(" time"))
        #expect(try PromptEncoder.encode("ab", continuing: session, codec) == session)
    }

    @Test(arguments: ["a", "abc"])
    func encodesAnewWhatDoesNotContinueTheSession(prompt: String) throws {
        let session = codec.encode("abd")
        #expect(try PromptEncoder.encode(prompt, continuing: session, codec) == codec.encode(prompt))
    }

    @Test func withoutASession() throws {
        #expect(try PromptEncoder.encode("Once upon", continuing: [], codec) == codec.encode("Once upon"))
    }

    /// Bytes decide, not canonical equivalence: é as one character is not e with an accent.
    @Test func comparesBytes() throws {
        let prompt = "e\u{301}!"
        #expect(try PromptEncoder.encode(prompt, continuing: codec.encode("é"), codec) == codec.encode(prompt))
    }

    @Test func givesUpTheTokensOfAnUnfinishedCharacter() throws {
        let session: [TokenID] = [97, 0xE2, 0x82]
        #expect(try PromptEncoder.encode("a€b", continuing: session, codec) == [97] + codec.encode("€b"))
        #expect(try PromptEncoder.encode("€b", continuing: [0xE2], codec) == codec.encode("€b"))
    }

    @Test func specialTokensAddNoText() throws {
        let session: [TokenID] = [FakeCodec.startOfText, 97]
        #expect(try PromptEncoder.encode("a!", continuing: session, codec) == session + codec.encode("!"))
        let ended = session + [FakeCodec.endOfText]
        #expect(try PromptEncoder.encode("a!", continuing: ended, codec) == session + codec.encode("!"))
        #expect(try PromptEncoder.encode("a", continuing: [FakeCodec.endOfText], codec) == codec.encode("a"))
    }

    /// Whatever the session, the tokens stand for the prompt's text.
    @Test func neverChangesTheText() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<5000 {
            let session = (0..<Int.random(in: 0..<8, using: &random)).map { _ in
                TokenID.random(in: 0x60..<FakeCodec.endOfText, using: &random)
            }
            let continuation = ["", "a", "€", "🦜 time", "\u{301}"].randomElement(using: &random)!
            let prompt = codec.decode(session) + continuation
            let tokens = try PromptEncoder.encode(prompt, continuing: session, codec)
            #expect(Array(codec.decode(tokens).utf8) == Array(prompt.utf8))
        }
    }
}
