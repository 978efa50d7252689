import Core
import JSON

/// How many chains a request asks for, from the three places where it can say so.
///
/// Header before body before the suffix of the model's name before the configured default. The header and the body
/// belong to one request, so two that cannot both be meant (3 and 2, or 3 and 1-3) are an error that names both; a
/// name's suffix is often fixed in a client's settings, so header and body override it.
struct ChainsRequest {
    /// The values of `X-Chains`, one for each such header.
    var header: [String] = []
    var body: JSONValue?
    /// The count behind the colon of the model's name.
    var suffix: Int?

    /// Whether none of the places says anything.
    var isEmpty: Bool { header.isEmpty && body == nil && suffix == nil }

    /// - Parameter available: chains of the model.
    func resolve(available: Int, default fallback: ChainSelection) throws(APIError) -> ChainSelection {
        let fromHeader = try headerSelection(available: available)
        let fromBody = try bodySelection(available: available)
        if let fromHeader, let fromBody, fromHeader != fromBody, fromHeader != .auto, fromBody != .auto {
            throw .invalid(
                "The header 'X-Chains: \(Self.text(fromHeader))' and the body's 'chains' (\(Self.text(fromBody))) "
                    + "contradict each other; send one of them, or the same in both.",
                param: "chains"
            )
        }
        if let selection = fromHeader ?? fromBody { return selection }
        guard let suffix else { return fallback }
        return try Self.checked(.fixed(suffix), available: available, place: "The suffix of 'model'", param: "model")
    }

    private func headerSelection(available: Int) throws(APIError) -> ChainSelection? {
        let place = "The header 'X-Chains'"
        guard let first = header.first else { return nil }
        guard let selection = header.count == 1 ? Self.parse(first) : nil else {
            let found = JSONValue.string(header.joined(separator: ", "))
            throw Self.malformed(place, available: available, found: found, param: nil)
        }
        return try Self.checked(selection, available: available, place: place, param: nil)
    }

    private func bodySelection(available: Int) throws(APIError) -> ChainSelection? {
        let place = "'chains'"
        guard let body else { return nil }
        let selection: ChainSelection? =
            switch body {
            case .string(let text): Self.parse(text)
            default: body.wholeNumber?.int.map { .fixed($0) }
            }
        guard let selection else {
            throw Self.malformed(place, available: available, found: body, param: "chains")
        }
        return try Self.checked(selection, available: available, place: place, param: "chains")
    }

    /// `3`, `1-3` or `auto`. A range of one is that count.
    static func parse(_ text: String) -> ChainSelection? {
        if text == "auto" { return .auto }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let counts = parts.compactMap { part in
            part.utf8.allSatisfy { (48...57).contains($0) } ? Int(part) : nil
        }
        guard counts.count == parts.count else { return nil }
        switch counts.count {
        case 1: return .fixed(counts[0])
        case 2 where counts[0] == counts[1]: return .fixed(counts[0])
        case 2 where counts[0] < counts[1]: return .range(counts[0]...counts[1])
        default: return nil
        }
    }

    static func text(_ selection: ChainSelection) -> String {
        switch selection {
        case .auto: "auto"
        case .range(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .fixed(let chains): "\(chains)"
        }
    }

    private static func checked(
        _ selection: ChainSelection,
        available: Int,
        place: String,
        param: String?
    ) throws(APIError) -> ChainSelection {
        guard selection.bounds(available: available) == nil else { return selection }
        throw .invalid(
            "\(place) asks for \(text(selection)) chains; this model has 1 to \(available).",
            param: param
        )
    }

    private static func malformed(_ place: String, available: Int, found: JSONValue, param: String?) -> APIError {
        .invalid(
            "\(place) must be a number of chains from 1 to \(available), a range such as \"1-\(available)\", "
                + "or \"auto\"; got \(found.found).",
            param: param
        )
    }
}
