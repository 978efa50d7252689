import JSON

/// The session of a request, from the body's `session_id` or the header `X-Session-Id`.
enum SessionName {
    /// - Throws: 400 for a malformed name, and for two names in one request.
    static func resolve(header: [String], body: String?) throws(APIError) -> String? {
        let wanted = "must be 1 to \(ClientName.maximumLength) visible ASCII characters"
        for name in header where !ClientName.isValid(name) {
            throw .invalid("The header 'X-Session-Id' \(wanted); got \(JSONValue.string(name).found).")
        }
        if let body, !ClientName.isValid(body) {
            throw .invalid("'session_id' \(wanted); got \(JSONValue.string(body).found).", param: "session_id")
        }
        let names = header + (body.map { [$0] } ?? [])
        guard let name = names.first else { return nil }
        if let other = names.first(where: { $0 != name }) {
            throw .invalid(
                "The request names two sessions, \"\(name)\" and \"\(other)\"; 'X-Session-Id' and 'session_id' must be "
                    + "the same, or one of them absent.",
                param: "session_id"
            )
        }
        return name
    }
}
