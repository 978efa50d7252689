import Core
import HTTP1
import Testing

@testable import API

/// `/v1/sessions`.
@Suite struct SessionListTests {
    private func fixture(_ names: [String]) -> Fixture {
        let fixture = Fixture()
        fixture.service.state.withLock { state in
            state.summaries = names.map {
                SessionSummary(id: $0, tokens: 40, tiers: [.memory, .disk], bytes: 4096, idle: 1.23456)
            }
        }
        return fixture
    }

    @Test func oneSession() {
        let body =
            #"{"id":"a/b","object":"session","tokens":40,"tiers":["memory","disk"],"bytes":4096,"idle_seconds":1.235}"#
        for path in ["a/b", "a%2Fb"] {
            let answer = fixture(["a/b"]).send(.get, "/v1/sessions/" + path)
            #expect(answer.response.map { String(decoding: $0.body, as: UTF8.self) } == body)
        }
    }

    @Test func unknownSessions() {
        let fixture = fixture(["a"])
        for method in [HTTPMethod.get, .delete] {
            let answer = fixture.send(method, "/v1/sessions/b")
            #expect(answer.response?.head.status == .notFound)
            #expect(answer.json["error"]["code"].string == "session_not_found")
        }
    }

    @Test func deletesASession() {
        let fixture = fixture(["a", "b"])
        let answer = fixture.send(.delete, "/v1/sessions/a")
        let body = #"{"id":"a","object":"session","deleted":true}"#
        #expect(answer.response.map { String(decoding: $0.body, as: UTF8.self) } == body)
        #expect(fixture.send(.delete, "/v1/sessions/a").response?.head.status == .notFound)
        #expect(fixture.send(.get, "/v1/sessions").json["data"].list.map { $0["id"].string } == ["b"])
    }

    @Test(
        arguments: [
            (nil, ["A", "a", "b", "c=&d"], false), ("limit=2", ["A", "a"], true),
            ("after=a", ["b", "c=&d"], false), ("after=a&limit=1", ["b"], true),
            ("limit=4", ["A", "a", "b", "c=&d"], false),
            // It was deleted meanwhile; the page goes on where it stood.
            ("after=aa", ["b", "c=&d"], false), ("after=c%3D%26d", [], false),
            ("other=x&&limit=1000", ["A", "a", "b", "c=&d"], false),
        ] as [(String?, [String], Bool)]
    )
    func pages(query: String?, ids: [String], hasMore: Bool) {
        let answer = fixture(["c=&d", "b", "A", "a"]).send(.get, "/v1/sessions", query: query)
        #expect(answer.response?.head.status == .ok)
        #expect(answer.json.names == ["object", "data", "first_id", "last_id", "has_more"])
        #expect(answer.json["object"].string == "list")
        #expect(answer.json["data"].list.map { $0["id"].string } == ids)
        #expect(answer.json["first_id"].string == ids.first && answer.json["last_id"].string == ids.last)
        #expect(answer.json["has_more"].value as? Bool == hasMore)
    }

    @Test(arguments: [
        ("limit=0", "'limit' must be an integer from 1 to 1000; got \"0\".", "limit"),
        ("limit=1001", "'limit' must be an integer from 1 to 1000; got \"1001\".", "limit"),
        ("limit=+5", "'limit' must be an integer from 1 to 1000; got \"+5\".", "limit"),
        ("limit", "'limit' must be an integer from 1 to 1000; got \"\".", "limit"),
        ("after=", "'after' must be a name of the list; got \"\".", "after"),
        ("after=%f", "'after' must be a name of the list; got \"%f\".", "after"),
        ("limit=1&limit=1", "The query gives 'limit' twice; give it once.", "limit"),
    ])
    func refusesPages(query: String, message: String, param: String) {
        let answer = fixture(["a"]).send(.get, "/v1/sessions", query: query)
        #expect(answer.response?.head.status == .badRequest)
        #expect(answer.json["error"]["message"].string == message)
        #expect(answer.json["error"]["param"].string == param)
    }

    @Test func thereAreNoneWhileLoading() {
        #expect(Fixture(model: nil).send(.get, "/v1/sessions").json["error"]["code"].string == "loading")
    }
}
