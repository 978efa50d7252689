import Foundation
import Testing

@testable import LoadTesting

@Suite struct LengthDistributionTests {
    @Test func reads() throws {
        #expect(try LengthDistribution("128") == .fixed(128))
        #expect(try LengthDistribution("64-256") == .uniform(64...256))
        #expect(try LengthDistribution("64-64") == .fixed(64))
        #expect(
            try LengthDistribution("lognormal:128:0.8:1-1024") == .lognormal(median: 128, sigma: 0.8, clip: 1...1024)
        )
        #expect(try LengthDistribution("lognormal:128:0.8:1-1024").bounds == 1...1024)
    }

    @Test(arguments: [
        "", "-", "0", "-5", "5-", "9-3", "1.5", "+5", "0-3", "99999999999", "lognormal:128:0.8", "lognormal:0:1:1-5",
        "lognormal:5:-1:1-5", "lognormal:nan:1:1-5", "lognormal:5:1:0-5", "normal:5:1:1-5", "1-2-3",
    ])
    func refuses(text: String) {
        #expect {
            try LengthDistribution(text)
        } throws: {
            "\($0)".contains("'\(text)'")
        }
    }

    @Test func drawsWhatItSays() throws {
        var random = SeededRandom(seed: 8)
        let uniform = (0..<60_000).map { _ in LengthDistribution.uniform(3...8).draw(&random) }
        for length in 3...8 {
            #expect(abs(uniform.count { $0 == length } - 10_000) < 500)
        }
        let lognormal = LengthDistribution.lognormal(median: 100, sigma: 1, clip: 10...500)
        let lengths = (0..<60_000).map { _ in lognormal.draw(&random) }.sorted()
        #expect(abs(lengths[30_000] - 100) <= 3)
        #expect(lengths.first == 10 && lengths.last == 500)
        // One sigma above the median: 84.1 % are below 272.
        #expect(abs(Double(lengths.count { $0 < 272 }) / 60_000 - 0.841) < 0.008)
    }
}
