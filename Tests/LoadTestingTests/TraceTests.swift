import Foundation
import Testing

@testable import LoadTesting

@Suite struct TraceTests {
    private static let text = """
        TIMESTAMP,ContextTokens,GeneratedTokens
        2023-11-16 23:59:59.9000000,4808,10
        2023-11-17 00:00:00.1500000,3180,8
        2023-11-17 00:00:03.9000000,110,27

        """

    private func parse(_ text: String, pieces: Int = .max) throws -> Trace {
        var parser = TraceParser()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try parser.append(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
        }
        return try parser.finish()
    }

    @Test(arguments: [1, 2, 7, Int.max])
    func piecesOfAnySize(size: Int) throws {
        let rows = try parse(Self.text, pieces: size).rows
        #expect(rows.map(\.contextTokens) == [4808, 3180, 110])
        #expect(rows.map(\.generatedTokens) == [10, 8, 27])
        #expect(zip(rows, [0, 0.25, 4]).allSatisfy { abs($0.time - $1) < 1e-9 })
    }

    @Test func lineEndsAndForms() throws {
        let expected = try parse(Self.text)
        #expect(try parse(Self.text.replacingOccurrences(of: "\n", with: "\r\n")) == expected)
        #expect(try parse(String(Self.text.dropLast())) == expected)
        #expect(try parse(Self.text.replacingOccurrences(of: " ", with: "T")) == expected)
        let head = TraceParser.header + "\n"
        #expect(try parse(head + "0,1,2\n0.25,3,4\n4.0,5,6").rows.map(\.time) == [0, 0.25, 4])
        // The same moment twice, with an offset and without.
        let rows = try parse(head + "2024-02-29 23:30:00+00:00,1,1\n2024-03-01T01:00:00.5+01:00,1,1\n").rows
        #expect(rows.map(\.time) == [0, 1800.5])
        let zulu = try parse(head + "1999-12-31T23:59:59Z,1,1\n2000-01-01T00:00:01Z,1,1\n").rows
        #expect(zulu[1].time == 2)
    }

    @Test func dates() {
        func nanoseconds(_ text: String) -> Int? { Timestamp.nanoseconds(Array(text.utf8)[...]) }
        #expect(nanoseconds("1970-01-01 00:00:00") == 0)
        #expect(nanoseconds("2023-11-16 18:17:03.9799600") == 1_700_158_623_979_960_000)
        #expect(nanoseconds("1.5") == 1_500_000_000)
        #expect(nanoseconds("2000-02-30 00:00:00") == nil)
        #expect(nanoseconds("1900-02-29 00:00:00") == nil)
        for wrong in [
            "", "x", "1.", "-1", "2023-11-16", "2023-11-16 18:17", "2023-1-16 18:17:03", "2023-11-16 25:00:00",
        ] {
            #expect(nanoseconds(wrong) == nil, "\(wrong)")
        }
    }

    @Test(arguments: [
        ("", "line 1: an empty file"),
        ("a,b,c\n", "line 1: the first line is not 'TIMESTAMP,ContextTokens,GeneratedTokens'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "line 2: no rows after the header"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n1,2\n", "line 2: 2 columns; there must be 3"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3,4\n", "line 2: 4 columns; there must be 3"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n\n5,1,1\nnow,2,3\n", "line 4: TIMESTAMP is 'now'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n5,-1,1\n", "line 2: ContextTokens is '-1'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n5,1,1.5\n", "line 2: GeneratedTokens is '1.5'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n5,1,99999999999\n", "line 2: GeneratedTokens is '99999999999'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n5,1,1\n4,1,1\n", "line 3: TIMESTAMP '4' lies before"),
        (String(repeating: "x", count: 300), "line 1: a line of more than 256 bytes"),
    ])
    func mistakes(text: String, message: String) {
        #expect {
            try parse(text)
        } throws: {
            "\($0)".hasPrefix(message)
        }
    }

    @Test func becomesAWorkload() throws {
        let trace = try parse(Self.text)
        var scale = Workload.TraceScale()
        scale.lengthDivisor = 10
        scale.promptClip = 16...400
        scale.outputClip = 2...2
        let workload = try Workload(trace, scale: scale)
        #expect(workload.arrivals.map(\.promptTokens) == [400, 318, 16])
        #expect(workload.arrivals.map(\.outputTokens) == [2, 2, 2])
        // Two gaps in four seconds: 0.5 a second.
        #expect(workload.duration == 6 && workload.meanRate == 0.5)
        let faster = try workload.scaled(toRate: 5)
        #expect(abs(faster.arrivals[2].time - 0.4) < 1e-12)
    }

    @Test func windows() throws {
        let trace = Trace(rows: (0..<100).map { .init(time: Double($0), contextTokens: $0, generatedTokens: 0) })
        var scale = Workload.TraceScale()
        scale.start = 10
        scale.seconds = 20
        var workload = try Workload(trace, scale: scale)
        #expect(workload.arrivals.count == 20 && workload.arrivals[0].promptTokens == 10)
        #expect(workload.arrivals[0].time == 0 && workload.arrivals[0].outputTokens == 1)
        scale.requests = 5
        workload = try Workload(trace, scale: scale)
        #expect(workload.arrivals.count == 5)
        scale.requests = 1
        #expect(throws: WorkloadError.self) { try Workload(trace, scale: scale) }
        scale.requests = nil
        scale.start = 200
        #expect(throws: WorkloadError.self) { try Workload(trace, scale: scale) }
        scale.start = 0
        scale.lengthDivisor = 0
        #expect(throws: WorkloadError.self) { try Workload(trace, scale: scale) }
    }
}
