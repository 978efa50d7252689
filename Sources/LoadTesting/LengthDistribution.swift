import Glibc

/// How many tokens a prompt or an answer has.
package enum LengthDistribution: Sendable, Hashable {
    case fixed(Int)
    /// Each number of the range equally often.
    case uniform(ClosedRange<Int>)
    /// The logarithm is normal: half of the values are below `median`, two thirds within a factor of exp(sigma) of it.
    /// What lies outside of `clip` is moved to its nearest end.
    case lognormal(median: Double, sigma: Double, clip: ClosedRange<Int>)

    /// The longest prompt or answer that may be asked for.
    package static let longest = 10_000_000

    /// The forms that ``init(_:)`` reads, for messages.
    package static let forms = "N, MIN-MAX or lognormal:MEDIAN:SIGMA:MIN-MAX"

    /// Reads `128`, `64-256` or `lognormal:128:0.8:1-1024`.
    package init(_ text: String) throws(WorkloadError) {
        let wrong = WorkloadError("'\(text)' is no length; expected \(Self.forms)")
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch parts.count {
        case 1:
            guard let range = Self.range(parts[0]) else { throw wrong }
            self = range.count == 1 ? .fixed(range.lowerBound) : .uniform(range)
        case 4 where parts[0] == "lognormal":
            guard let median = Double(parts[1]), let sigma = Double(parts[2]), let clip = Self.range(parts[3]) else {
                throw wrong
            }
            self = .lognormal(median: median, sigma: sigma, clip: clip)
        default:
            throw wrong
        }
        try check(text)
    }

    /// `64-256`, or `64` for a range of one.
    package static func range(_ text: some StringProtocol) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { end in
            end.utf8.allSatisfy { (48...57).contains($0) } ? Int(end) : nil
        }
        guard (1...2).contains(ends.count), let low = ends[0], let high = ends[ends.count - 1], low <= high else {
            return nil
        }
        return low...high
    }

    private func check(_ text: String) throws(WorkloadError) {
        guard bounds.lowerBound >= 1 && bounds.upperBound <= Self.longest else {
            throw WorkloadError("'\(text)' has lengths outside of 1 to \(Self.longest) tokens")
        }
        if case .lognormal(let median, let sigma, _) = self {
            guard median > 0 && median.isFinite && sigma >= 0 && sigma <= 10 else {
                throw WorkloadError("'\(text)': the median must be above 0, sigma 0 to 10")
            }
        }
    }

    /// The least and the greatest value.
    package var bounds: ClosedRange<Int> {
        switch self {
        case .fixed(let length): length...length
        case .uniform(let range): range
        case .lognormal(_, _, let clip): clip
        }
    }

    /// A value.
    package func draw(_ random: inout SeededRandom) -> Int {
        switch self {
        case .fixed(let length):
            return length
        case .uniform(let range):
            return random.integer(in: range)
        case .lognormal(let median, let sigma, let clip):
            let value = median * exp(sigma * random.normal())
            return Int(min(max(value.rounded(), Double(clip.lowerBound)), Double(clip.upperBound)))
        }
    }
}
