import JSON

/// Which part of a list a request asks for: `?limit=100&after=NAME`, as OpenAI's lists are paged.
struct PageRequest: Sendable, Hashable {
    static let limits = 1...1000

    var limit = 100
    /// The last name of the page before; nil for the first page. It need not exist any more.
    var after: String?

    /// Unknown parameters are ignored, as unknown fields of a body are.
    /// - Parameter query: what follows the target's question mark.
    /// - Throws: 400 for a malformed value, and for a parameter given twice.
    init(query: String?) throws(APIError) {
        var seen: Set<String> = []
        for parameter in (query ?? "").split(separator: "&") {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard name == "limit" || name == "after" else { continue }
            guard seen.insert(name).inserted else {
                throw .invalid("The query gives '\(name)' twice; give it once.", param: name)
            }
            let text = parts.count == 2 ? parts[1] : ""
            if name == "limit" {
                guard let limit = Int(text), text.utf8.allSatisfy({ (48...57).contains($0) }),
                    Self.limits.contains(limit)
                else {
                    throw .invalid(
                        "'limit' must be an integer from \(Self.limits.lowerBound) to \(Self.limits.upperBound); got "
                            + "\(quoted(String(text))).",
                        param: name
                    )
                }
                self.limit = limit
            } else {
                guard let after = Route.percentDecoded(text), !after.isEmpty else {
                    throw .invalid("'after' must be a name of the list; got \(quoted(String(text))).", param: name)
                }
                self.after = after
            }
        }
    }
}
