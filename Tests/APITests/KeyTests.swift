import Access
import Core
import HTTP1
import Testing

@testable import API

/// Who gets in, and what is whose.
@Suite struct KeyTests {
    private let alice: HTTPHeaders = ["Authorization": "Bearer alice-key"]
    private let bob: HTTPHeaders = ["X-Api-Key": "bob-key"]

    @Test(
        arguments: [
            ([], false), ([("Authorization", "Bearer alice-key")], true),
            ([("authorization", "bearer alice-key")], true),
            ([("Authorization", "BEARER   alice-key")], true), ([("X-Api-Key", "alice-key")], true),
            ([("X-Api-Key", "alice-key"), ("Authorization", "Bearer alice-key")], true),
            ([("X-Api-Key", "alice-key"), ("Authorization", "Bearer ")], true),
            ([("Authorization", "Bearer")], false), ([("Authorization", "Bearer ")], false),
            ([("X-Api-Key", "")], false),
            ([("Authorization", "alice-key")], false), ([("Authorization", "Basic alice-key")], false),
            ([("Authorization", "Bearer alice-key ")], false), ([("Authorization", "Bearer Alice-key")], false),
            ([("Authorization", "Bearer alice-key"), ("Authorization", "Bearer bob-key")], false),
            ([("X-Api-Key", "alice-key"), ("Authorization", "Bearer bob-key")], false),
            ([("X-Api-Key", "alice-key, bob-key")], false),
            ([("Authorization", "Bearer \(KeyHash(of: "alice-key"))")], false),
        ] as [([(String, String)], Bool)]
    )
    func whoGetsIn(fields: [(String, String)], isIn: Bool) throws {
        let fixture = Fixture(access: try .keys("alice", "bob"))
        var headers = HTTPHeaders()
        for (name, value) in fields { headers.append(name, value) }
        let answer = fixture.send(.get, "/v1/models", headers: headers)
        #expect(answer.response?.head.status.code == (isIn ? 200 : 401))
        #expect(answer.response?.head.headers["www-authenticate"] == (isIn ? nil : "Bearer"))
        guard !isIn else { return }
        #expect(answer.json["error"]["code"].string == "invalid_api_key")
        #expect(answer.json["error"]["message"].string?.contains("alice") == false, "the key is not repeated")
        #expect(fixture.router.metrics.access.refused(.key) == 1)
    }

    /// Every endpoint but the probes and the pages is behind the key; a browser's preflight is not.
    @Test(arguments: Endpoint.allCases)
    func whatNeedsAKey(endpoint: Endpoint) throws {
        let open: Set<Endpoint> = [.health, .readiness, .playground, .openAPI, .server]
        let path = endpoint.prefix.map { $0 + "x" }.map(String.init) ?? endpoint.rawValue
        for method in endpoint.methods {
            let fixture = Fixture(access: try .keys("alice"))
            let type: HTTPHeaders = ["Content-Type": "application/json"]
            let status = fixture.send(method, path, headers: type, body: "{}").response?.head.status.code
            #expect((status == 401) == (!open.contains(endpoint) && method != .options), "\(method) \(path)")
            #expect(Fixture().send(method, path, headers: type, body: "{}").response?.head.status.code != 401)
        }
    }

    /// It is refused before its body is read.
    @Test func theHeadAloneIsRefused() throws {
        let fixture = Fixture(access: try .keys("alice"))
        let head = RequestHead(method: .post, target: RequestTarget(path: "/v1/completions"))
        #expect(fixture.router.earlyAnswer(to: head, from: .unix)?.head.status == .unauthorized)
    }

    @Test func metricsMayBeOpen() throws {
        var access = try AccessControl.keys("alice")
        access.guardsMetrics = false
        #expect(Fixture(access: access).send(.get, "/metrics").response?.head.status == .ok)
    }

    @Test func withoutKeysAnythingGoes() {
        for headers in [alice, bob, ["Authorization": "Bearer "], ["Authorization": "nonsense"]] as [HTTPHeaders] {
            #expect(Fixture().send(.get, "/v1/models", headers: headers).response?.head.status == .ok)
        }
    }

    // MARK: What a key allows

    @Test(
        arguments: [
            (nil, .range(1...2)), ("\"auto\"", .range(1...2)), ("1", .fixed(1)), ("2", .fixed(2)), ("3", nil),
            ("4", nil),
            ("\"1-4\"", .range(1...2)), ("\"2-3\"", .range(2...2)), ("\"3-4\"", nil),
        ] as [(String?, ChainSelection?)]
    )
    func chains(asked: String?, given: ChainSelection?) throws {
        let fixture = Fixture(access: try .keys("alice chains=2"))
        let fields = #""prompt":"a""# + (asked.map { #","chains":\#($0)"# } ?? "")
        let answer = fixture.complete(fields, headers: alice)
        #expect(fixture.service.submitted.first?.chains == given)
        guard given == nil else { return }
        #expect(answer.response?.head.status == 403)
        #expect(answer.json["error"]["code"].string == "chains_not_allowed")
        #expect(answer.json["error"]["message"].string?.contains("at most 2 chains") == true)
        #expect(fixture.router.metrics.access.refused(.chains) == 1)
    }

    @Test func aSuffixAndTheDefaultAreChainsToo() throws {
        var options = APIOptions()
        options.defaultChains = .fixed(4)
        let fixture = Fixture(options: options, access: try .keys("alice chains=3"))
        #expect(fixture.complete(#""prompt":"a","model":"catena:4""#, headers: alice).response?.head.status == 403)
        _ = fixture.complete(#""prompt":"a""#, headers: alice)
        #expect(fixture.service.submitted.map(\.chains) == [.fixed(3)], "the client asked for nothing")
    }

    @Test func aChangeCannotGoBeyondEither() throws {
        let fixture = Fixture(access: try .keys("alice chains=2"))
        _ = fixture.complete(#""prompt":"a""#, headers: ["Authorization": "Bearer alice-key", "X-Request-Id": "r"])
        #expect(fixture.patch("r", #""chains":3"#, headers: alice).response?.head.status == 403)
        _ = fixture.patch("r", #""chains":"auto""#, headers: alice)
        #expect(fixture.service.changes.map(\.change.chains) == [.range(1...2)])
    }

    /// More than the model has is no limit.
    @Test func aCeilingAboveTheModel() throws {
        let fixture = Fixture(access: try .keys("alice chains=9"))
        _ = fixture.complete(#""prompt":"a""#, headers: alice)
        #expect(fixture.service.submitted.first?.chains == .auto)
    }

    @Test(
        arguments: [
            ("", nil, 0), ("", 7, 7), ("priority=5", nil, 5), ("priority=5", 9, 5), ("priority=5", -3, -3),
            ("priority=-5", nil, -5), ("priority=-5", 0, -5),
        ] as [(String, Int?, Int)]
    )
    func priorities(field: String, asked: Int?, given: Int) throws {
        let fixture = Fixture(access: try .keys("alice \(field)"))
        let fields = #""prompt":"a""# + (asked.map { #","priority":\#($0)"# } ?? "")
        _ = fixture.complete(fields, headers: alice)
        #expect(fixture.service.submitted.first?.priority == given)
    }

    /// A key is one client to the scheduler, from wherever it comes; an address is one where there are no keys.
    @Test func keysShareTheMachine() throws {
        let fixture = Fixture(access: try .keys("alice", "bob"))
        let peers = [PeerAddress.ipv4(1, port: 1), .ipv4(2, port: 2), .ipv4(2, port: 2)]
        for (peer, headers) in zip(peers, [alice, alice, bob]) {
            var headers = headers
            headers.append("Content-Type", "application/json")
            _ = fixture.send(.post, "/v1/completions", headers: headers, body: #"{"prompt":"a"}"#, peer: peer)
        }
        let clients = fixture.service.submitted.map(\.client)
        #expect(clients[0] == clients[1] && clients[1] != clients[2])
    }

    @Test func aTrustedProxySaysWhoAClientIs() throws {
        var access = AccessControl()
        access.proxies = TrustedProxies([try #require(AddressRange("10.0.0.0/8"))])
        let fixture = Fixture(access: access)
        for (peer, forwarded) in [(0x0A00_0001, "203.0.113.1"), (0x0A00_0001, "203.0.113.2"), (1, "203.0.113.1")] {
            let headers: HTTPHeaders = ["Content-Type": "application/json", "X-Forwarded-For": forwarded]
            let peer = PeerAddress.ipv4(UInt32(peer), port: 1)
            _ = fixture.send(.post, "/v1/completions", headers: headers, body: #"{"prompt":"a"}"#, peer: peer)
        }
        let clients = fixture.service.submitted.map(\.client)
        #expect(clients == [0xCB00_7101, 0xCB00_7102, 1].map { PeerAddress.ipv4($0, port: 0).network })
    }

    // MARK: What is whose

    @Test func sessionsAreTheirOwners() throws {
        let fixture = Fixture(access: try .keys("alice", "bob"))
        for headers in [alice, bob] { _ = fixture.complete(#""prompt":"a","session_id":"s""#, headers: headers) }
        let submitted = fixture.service.submitted
        #expect(submitted.map(\.sessionID) == ["alice s", "bob s"])
        #expect(submitted[0].cacheSalt != submitted[1].cacheSalt)
        fixture.service.state.withLock { state in
            state.summaries = ["alice s", "alice t", "bob s", "s", "alicex s"].map {
                SessionSummary(id: $0, tokens: 4, tiers: [.memory], bytes: 1, idle: 0)
            }
        }
        let list = fixture.send(.get, "/v1/sessions", headers: alice).json
        #expect(list["data"].list.map { $0["id"].string } == ["s", "t"])
        #expect(list["last_id"].string == "t")
        #expect(fixture.send(.get, "/v1/sessions/t", headers: alice).json["id"].string == "t")
        #expect(fixture.send(.get, "/v1/sessions/t", headers: bob).response?.head.status == .notFound)
        for stranger in ["t", "alice t", "alice%20t"] {
            let answer = fixture.send(.delete, "/v1/sessions/" + stranger, headers: bob)
            #expect(answer.response?.head.status == .notFound)
        }
        #expect(fixture.send(.delete, "/v1/sessions/s", headers: bob).json["id"].string == "s")
        #expect(fixture.service.sessions().map(\.id) == ["alice s", "alice t", "s", "alicex s"])
    }

    /// Without keys nobody sees, or takes away, what a key has left.
    @Test func ownedSessionsAreHiddenWithoutKeys() {
        let fixture = Fixture()
        fixture.service.state.withLock { state in
            state.summaries = [SessionSummary(id: "alice s", tokens: 4, tiers: [.disk], bytes: 1, idle: 0)]
        }
        #expect(fixture.send(.get, "/v1/sessions").json["data"].count == 0)
        #expect(fixture.send(.delete, "/v1/sessions/alice%20s").response?.head.status == .notFound)
    }

    /// Prefixes are shared within a key, and by `cache_salt` within that, never between two.
    @Test func saltsAreTheirOwners() throws {
        let fixture = Fixture(access: try .keys("alice", "bob"))
        for (headers, salt) in [(alice, nil), (bob, nil), (alice, "bob"), (bob, "alice"), (alice, "x"), (alice, "x")] {
            let fields = #""prompt":"a""# + (salt.map { #","cache_salt":"\#($0)""# } ?? "")
            _ = fixture.complete(fields, headers: headers)
        }
        let salts = fixture.service.submitted.map(\.cacheSalt)
        #expect(Set(salts).count == 5 && salts[4] == salts[5] && !salts.contains(nil))
    }

    @Test func requestsAreTheirOwners() throws {
        let fixture = Fixture(access: try .keys("alice", "bob"))
        func start(_ key: String) throws -> String {
            let headers: HTTPHeaders = ["X-Api-Key": key, "X-Request-Id": "same"]
            let stream = fixture.complete(#""prompt":"a","stream":true"#, headers: headers)
            fixture.service.send(.admitted(), to: fixture.service.submitted.count - 1)
            return try #require(stream.head?.headers["x-completion-id"])
        }
        let id = try start("alice-key")
        let bobs = try start("bob-key")
        #expect(fixture.patch(id, #""chains":1"#, headers: bob).json["error"]["code"].string == "request_not_found")
        #expect(fixture.send(.delete, "/v1/requests/" + id, headers: bob).response?.head.status == .notFound)
        #expect(fixture.service.cancelled.isEmpty)
        // A name that two owners chose is not ambiguous to either.
        let deleted = fixture.send(.delete, "/v1/requests/same", headers: bob)
        #expect(deleted.json["id"].string == bobs)
        #expect(fixture.send(.delete, "/v1/requests/same", headers: alice).json["id"].string == id)
    }
}
