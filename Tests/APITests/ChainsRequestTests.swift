import Core
import JSON
import Testing

@testable import API

@Suite struct ChainsRequestTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var header: [String] = []
        var body: JSONValue?
        var suffix: Int?
        var expected: ChainSelection
        var testDescription: String { "header \(header), body \(body.map { "\($0)" } ?? "-"), suffix \(suffix ?? 0)" }
    }

    @Test(arguments: [
        Case(expected: .range(2...3)),
        Case(suffix: 2, expected: .fixed(2)),
        Case(body: .integer(3), expected: .fixed(3)),
        Case(body: .string("3"), expected: .fixed(3)),
        Case(body: .double(3), expected: .fixed(3)),
        Case(body: .string("1-3"), expected: .range(1...3)),
        Case(body: .string("2-2"), expected: .fixed(2)),
        Case(body: .string("auto"), expected: .auto),
        Case(header: ["4"], expected: .fixed(4)),
        Case(header: ["1-4"], expected: .range(1...4)),
        Case(header: ["auto"], expected: .auto),
        // header before body before suffix
        Case(header: ["auto"], body: .integer(2), suffix: 3, expected: .auto),
        Case(header: ["2"], body: .string("auto"), suffix: 3, expected: .fixed(2)),
        Case(header: ["2"], body: .integer(2), suffix: 3, expected: .fixed(2)),
        Case(header: ["2-2"], body: .integer(2), expected: .fixed(2)),
        Case(header: ["1-3"], suffix: 4, expected: .range(1...3)),
        Case(body: .integer(1), suffix: 4, expected: .fixed(1)),
        Case(body: .string("auto"), suffix: 4, expected: .auto),
    ])
    func resolves(row: Case) throws {
        let request = ChainsRequest(header: row.header, body: row.body, suffix: row.suffix)
        #expect(try request.resolve(available: 4, default: .range(2...3)) == row.expected)
    }

    @Test(arguments: [
        (["3"], JSONValue.integer(2), "The header 'X-Chains: 3' and the body's 'chains' (2)"),
        (["3"], .string("1-3"), "The header 'X-Chains: 3' and the body's 'chains' (1-3)"),
        (["1-3"], .integer(3), "The header 'X-Chains: 1-3' and the body's 'chains' (3)"),
        (["1-3"], .string("2-3"), "The header 'X-Chains: 1-3' and the body's 'chains' (2-3)"),
    ])
    func refusesContradictions(header: [String], body: JSONValue, message: String) {
        let request = ChainsRequest(header: header, body: body)
        let rest = " contradict each other; send one of them, or the same in both."
        #expect(throws: APIError.invalid(message + rest, param: "chains")) {
            try request.resolve(available: 4, default: .auto)
        }
    }

    @Test(
        arguments: [
            ([], JSONValue.integer(5), nil, "'chains' asks for 5 chains; this model has 1 to 4.", "chains"),
            ([], .integer(0), nil, "'chains' asks for 0 chains; this model has 1 to 4.", "chains"),
            ([], .integer(-2), nil, "'chains' asks for -2 chains; this model has 1 to 4.", "chains"),
            ([], .string("2-5"), nil, "'chains' asks for 2-5 chains; this model has 1 to 4.", "chains"),
            ([], .string("0-2"), nil, "'chains' asks for 0-2 chains; this model has 1 to 4.", "chains"),
            (["5"], nil, nil, "The header 'X-Chains' asks for 5 chains; this model has 1 to 4.", nil),
            ([], nil, 9, "The suffix of 'model' asks for 9 chains; this model has 1 to 4.", "model"),
            ([], .string("3-1"), nil, "'chains' \(forms); got the string \"3-1\".", "chains"),
            ([], .string("1-2-3"), nil, "'chains' \(forms); got the string \"1-2-3\".", "chains"),
            ([], .string("-1"), nil, "'chains' \(forms); got the string \"-1\".", "chains"),
            ([], .string(""), nil, "'chains' \(forms); got the string \"\".", "chains"),
            ([], .string("all"), nil, "'chains' \(forms); got the string \"all\".", "chains"),
            (
                [], .string("99999999999999999999"), nil, "'chains' \(forms); got the string \"99999999999999999999\".",
                "chains"
            ),
            ([], .double(1.5), nil, "'chains' \(forms); got the number 1.5.", "chains"),
            ([], .bool(true), nil, "'chains' \(forms); got true.", "chains"),
            ([" 2"], nil, nil, "The header 'X-Chains' \(forms); got the string \" 2\".", nil),
            (["2", "2"], nil, nil, "The header 'X-Chains' \(forms); got the string \"2, 2\".", nil),
        ] as [([String], JSONValue?, Int?, String, String?)]
    )
    func refuses(header: [String], body: JSONValue?, suffix: Int?, message: String, param: String?) {
        let request = ChainsRequest(header: header, body: body, suffix: suffix)
        #expect(throws: APIError.invalid(message, param: param)) {
            try request.resolve(available: 4, default: .auto)
        }
    }

    private static let forms =
        "must be a number of chains from 1 to 4, a range such as \"1-4\", or \"auto\""
}
