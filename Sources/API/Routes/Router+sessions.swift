import Core
import HTTP1
import JSON

/// `/v1/sessions`: what is kept between requests, of the caller's own. All of it may read slower tiers, so it runs where blocking is allowed.
extension Router {
    /// `GET /v1/sessions`
    func listSessions(_ query: String?, of caller: Caller) throws(APIError) -> [UInt8] {
        let page = try PageRequest(query: query)
        let sessions = try sessions(of: caller).sorted { $0.id < $1.id }
        let rest = sessions.drop { session in page.after.map { session.id <= $0 } ?? false }
        let part = rest.prefix(page.limit)
        var json = JSONWriter(reserving: 64 + part.count * 128)
        json.raw("{\"object\":\"list\",\"data\":[")
        for (index, session) in part.enumerated() {
            json.separator(before: index)
            json.session(session)
        }
        json.raw("],\"first_id\":")
        json.string(part.first?.id)
        json.raw(",\"last_id\":")
        json.string(part.last?.id)
        json.raw(",\"has_more\":")
        json.bool(part.count < rest.count)
        json.raw("}")
        return json.bytes
    }

    /// `GET /v1/sessions/{id}`
    func describeSession(_ id: String, of caller: Caller) throws(APIError) -> [UInt8] {
        guard let session = try sessions(of: caller).first(where: { $0.id == id }) else {
            throw .unknownSession(id)
        }
        var json = JSONWriter()
        json.session(session)
        return json.bytes
    }

    /// `DELETE /v1/sessions/{id}`
    func deleteSession(_ id: String, of caller: Caller) throws(APIError) -> [UInt8] {
        // What no client can have named is nobody's, and must not be taken for another's.
        guard ClientName.isValid(id), try state.running().service.deleteSession(caller.stored(session: id)) else {
            throw .unknownSession(id)
        }
        return Self.deletion(of: id, object: "session")
    }

    /// The caller's sessions under the names that the caller gave them.
    private func sessions(of caller: Caller) throws(APIError) -> [SessionSummary] {
        try state.running().service.sessions().compactMap { session in
            guard let name = caller.own(session: session.id) else { return nil }
            var session = session
            session.id = name
            return session
        }
    }
}

extension JSONWriter {
    fileprivate mutating func session(_ session: SessionSummary) {
        raw("{\"id\":")
        string(session.id)
        raw(",\"object\":\"session\",\"tokens\":")
        // A snapshot's are known when it was read.
        if let tokens = session.tokens { integer(tokens) } else { raw("null") }
        raw(",\"tiers\":[")
        for (index, tier) in session.tiers.enumerated() {
            separator(before: index)
            string(tier.rawValue)
        }
        raw("],\"bytes\":")
        integer(session.bytes)
        raw(",\"idle_seconds\":")
        // Milliseconds are plenty; more digits only look precise.
        number((session.idle * 1000).rounded() / 1000)
        raw("}")
    }
}
