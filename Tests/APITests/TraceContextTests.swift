import HTTP1
import TestSupport
import Testing

@testable import API

/// `traceparent`, by the sections of https://www.w3.org/TR/trace-context/.
@Suite struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"

    @Test(arguments: [
        ("00-\(trace)-\(span)-01", "01"), ("00-\(trace)-\(span)-00", "00"), ("00-\(trace)-\(span)-ff", "01"),
        ("00-\(trace)-\(span)-02", "00"),
        // 4.3: later versions are read as far as this one goes.
        ("cc-\(trace)-\(span)-01", "01"), ("01-\(trace)-\(span)-01-what-comes", "01"),
    ])
    func accepts(value: String, flags: String) throws {
        let context = try #require(TraceContext([value]))
        #expect(context.traceID == Self.trace)
        #expect(context.spanID != Self.span && context.spanID.utf8.count == 16)
        #expect(context.header == "00-\(Self.trace)-\(context.spanID)-\(flags)")
    }

    @Test(arguments: [
        [], [""], ["00"], ["00-\(trace)-\(span)"], ["00-\(trace)-\(span)-1"], ["00-\(trace)-\(span)-0g"],
        // 3.2.2.1: ff is no version, and this one ends behind the flags.
        ["ff-\(trace)-\(span)-01"], ["00-\(trace)-\(span)-01-x"], ["00-\(trace)-\(span)-01-"],
        ["cc-\(trace)-\(span)-01.x"],
        ["cc-\(trace)-\(span)-011"],
        // 3.2.2.3 and 3.2.2.4: all zero.
        ["00-\(String(repeating: "0", count: 32))-\(span)-01"], ["00-\(trace)-0000000000000000-01"],
        // 3.2.2: lower case.
        ["00-\(trace.uppercased())-\(span)-01"], ["00-\(trace)-\(span)-0A"], ["0G-\(trace)-\(span)-01"],
        ["00_\(trace)_\(span)_01"], [" 00-\(trace)-\(span)-01"], ["00-\(trace)\(span)--01"],
        ["00-\(trace)-\(span)-01", "00-\(trace)-\(span)-01"],
    ])
    func ignores(values: [String]) {
        #expect(TraceContext(values) == nil)
    }

    /// A random id of all zero would be none.
    @Test func ownSpansAreNeverZero() {
        struct Zeros: RandomNumberGenerator {
            func next() -> UInt64 { 0 }
        }
        var zeros = Zeros()
        let context = TraceContext(["00-\(Self.trace)-\(Self.span)-01"], using: &zeros)
        #expect(context?.spanID.utf8.count == 16)
        #expect(context?.spanID.contains { $0 != "0" } == true)
    }

    @Test func comesBackInEveryAnswer() {
        for path in ["/health", "/nothing", "/v1/models"] {
            let value = "00-\(Self.trace)-\(Self.span)-01"
            let answer = Fixture().send(.get, path, headers: ["traceparent": value]).response?.head.headers
            #expect(answer?["traceparent"]?.hasPrefix("00-\(Self.trace)-") == true)
            #expect(answer?["traceparent"] != value)
            let none = Fixture().send(.get, path, headers: ["traceparent": "x"]).response?.head.headers
            #expect(none?.contains("traceparent") == false)
        }
    }
}
