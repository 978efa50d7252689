import Testing

@testable import Tokenizer

@Suite struct PreTokenizerTests {
    private func words(_ text: String, _ splits: [PreTokenizer.Split]) throws -> [String] {
        let bytes = Array(text.utf8)
        let ranges = try bytes.withUnsafeBufferPointer { buffer in
            try PreTokenizer(addsPrefixSpace: false, splits: splits).words(of: buffer, with: PatternMatcher())
        }
        return ranges.map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    private func split(
        _ regex: String,
        _ behavior: PreTokenizer.Behavior,
        inverted: Bool = false
    ) throws -> PreTokenizer.Split {
        PreTokenizer.Split(pattern: try SplitPattern(regex: regex), behavior: behavior, inverted: inverted)
    }

    /// The example of the `tokenizers` package's own tests, and what it gives with `invert`.
    @Test(
        arguments: [
            (.removed, false, ["the", "final", "", "countdown"].filter { !$0.isEmpty }),
            (.isolated, false, ["the", "-", "final", "-", "-", "countdown"]),
            (.mergedWithPrevious, false, ["the-", "final-", "-", "countdown"]),
            (.mergedWithNext, false, ["the", "-final", "-", "-countdown"]),
            (.contiguous, false, ["the", "-", "final", "--", "countdown"]),
            (.removed, true, ["-", "-", "-"]),
            (.isolated, true, ["the", "-", "final", "-", "-", "countdown"]),
            (.mergedWithPrevious, true, ["the", "-final", "-", "-countdown"]),
            (.mergedWithNext, true, ["the-", "final-", "-", "countdown"]),
            (.contiguous, true, ["the", "-", "final", "--", "countdown"]),
        ] as [(PreTokenizer.Behavior, Bool, [String])]
    )
    func behaviors(behavior: PreTokenizer.Behavior, inverted: Bool, expected: [String]) throws {
        #expect(try words("the-final--countdown", [split("-", behavior, inverted: inverted)]) == expected)
    }

    @Test func gpt2Pattern() throws {
        let split = try split(PreTokenizer.gpt2Pattern, .isolated)
        let text = "I'm  here,\n don't 42½ at  é\u{301}漢\u{31350}  "
        let expected = [
            "I", "'m", " ", " here", ",", "\n", " don", "'t", " 42½", " at", " ", " é", "\u{301}", "漢\u{31350}", "  ",
        ]
        #expect(try words(text, [split]) == expected)
        #expect(try words("", [split]) == [])
    }

    /// U+180E is no white space, U+0085 is; PCRE2's \s says otherwise of the first.
    @Test func whitespaceIsUnicodes() throws {
        #expect(try words("a\u{180E}b\u{85}c\u{3000}d", [split("\\s", .removed)]) == ["a\u{180E}b", "c", "d"])
        #expect(try words("a\u{180E}b\u{85}c", [split("[\\S]+", .removed)]) == ["\u{85}"])
    }

    @Test func patternsSeeOnlyTheirPiece() throws {
        let digits = try split("\\p{N}", .isolated)
        let end = try split("a(?!.)", .removed)
        #expect(try words("ba1a2", [digits, end]) == ["b", "1", "2"])
    }

    @Test func emptyMatchesAreNoWords() throws {
        #expect(try words("axxbéc", [split("x*", .isolated)]) == ["a", "xx", "b", "é", "c"])
        #expect(try words("axxbéc", [split("x*", .removed)]) == ["a", "b", "é", "c"])
    }

    @Test func literalsAreLiteral() throws {
        let split = PreTokenizer.Split(
            pattern: try SplitPattern(literal: ".*\\E é"),
            behavior: .removed,
            inverted: false
        )
        #expect(try words("a.*\\E éb.*", [split]) == ["a", "b.*"])
    }

    @Test(arguments: [
        (" ?\\p{L}+", " ?[\\p{L}"), ("[^\\s\\p{N}]", "[^\\p{WSpace}\\p{N}\\x{10d40}-"),
        ("\\P{Lt}{1,3}", "[^\\p{Lt}]{1,3}"),
        ("(?i:'s|[TM])a?+(?=b)(?!c)", "(?i:'s|[TM])a?+(?=b)(?!c)"),
        ("\\r\\n\\(\\u0041\\x{1F600}", "\\r\\n\\(\\x{0041}\\x{1F600}"),
        ("a{2}b{2,}c{2,3}", "a{2}b{2,}c{2,3}"),
    ])
    func translates(source: String, start: String) throws {
        #expect(try PatternTranslator.translate(source).hasPrefix(start))
    }

    @Test(arguments: [
        ("\\w+", "\\w"), ("\\bx", "\\b"), ("\\h", "\\h"), ("^a", "^"), ("a$", "$"),
        ("[a[b]]", "a class inside a class"),
        ("[[:alpha:]]", "a class inside a class"), ("[a&&b]", "&& in a class"), ("[a", "class without an end"),
        ("[]a]", "empty class"),
        ("(?i)a", "a group (?i)"), ("(?<n>a)", "a group (?<n"), ("(?i:\\p{L})", "inside (?i:"), ("a{,3}", "{,3}"),
        ("a{1,2}+", "{1,2}"),
        ("a{2}?", "{2}"), ("a{", "{"), ("\\p{Han}", "the property \"Han\""), ("\\p{^L}", "\"^L\""),
        ("\\pL", "without {..}"),
        ("[\\P{L}]", "negated property inside"), ("a\\", "ends in a backslash"), ("\\x41", "\\x without"),
        ("\\x{110000}", "no Unicode scalar"),
        ("\\uD800", "no Unicode scalar"), ("\\u12", "no Unicode scalar"), ("(a)\\1", "\\1"), ("(a", "parenthes"),
        ("*a", "quantifier"),
        ("[z-a]", "range"),
    ])
    func refuses(source: String, says: String) throws {
        let error = try #require(throws: PatternError.self) { try SplitPattern(regex: source) }
        #expect(error.problem.contains(says), "\(error.problem)")
    }

    /// Backtracking that outgrows the machine code's stack goes on in the interpreter.
    @Test func deepBacktracking() throws {
        let text = String(repeating: "ab", count: 60_000)
        #expect(try words(text, [split("(?:a|(?:b))+(?:c|(?=b)|(?!a))", .isolated)]).joined() == text)
    }

    /// A pattern that runs wild ends in an error, within the limit of steps.
    @Test(.timeLimit(.minutes(1))) func runawayPatterns() throws {
        let text = String(repeating: "a", count: 60) + "!"
        #expect(throws: TokenizerError.self) { try words(text, [split("(?:a+)+[bc]", .isolated)]) }
    }
}
