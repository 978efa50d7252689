/// How many chains a request wants to run with: the size of the model, chosen per request.
///
/// A CoLM-Air model of `n` chains is `n` complete models in one, the first `k` chains being model `k`
/// ("Chain-of-Model Learning", arXiv 2505.11820, section 3).
public enum ChainSelection: Sendable, Hashable {
    /// The scheduler picks, anything from 1 chain to all of them.
    case auto
    /// The scheduler picks within the range.
    case range(ClosedRange<Int>)
    /// Exactly this many chains.
    case fixed(Int)

    /// The chain counts this selection allows on a model of `available` chains, or nil when it allows none.
    public func bounds(available: Int) -> ClosedRange<Int>? {
        switch self {
        case .auto:
            1...available
        case .range(let range):
            range.lowerBound >= 1 && range.upperBound <= available ? range : nil
        case .fixed(let chains):
            1...available ~= chains ? chains...chains : nil
        }
    }
}
