import Core
import HTTP1
import Testing

@testable import API

@Suite struct RouterTests {
    @Test(
        arguments: [
            (.get, "//", 404, "unknown_url"), (.get, "/v1", 404, "unknown_url"),
            (.get, "/v1/models/", 404, "unknown_url"),
            (.get, "/health/", 404, "unknown_url"), (.get, "/V1/models", 404, "unknown_url"),
            (.post, "/v1/chat", 404, "unknown_url"), (.get, "/v1/chat/completions", 405, "method_not_supported"),
            (.options, "/nothing", 404, "unknown_url"),
            (.get, "/v1/models/%zz", 404, "unknown_url"), (.get, "/v1/models/%ff", 404, "unknown_url"),
            (.get, "/v1/completions", 405, "method_not_supported"),
            (.head, "/v1/completions", 405, "method_not_supported"),
            (.delete, "/v1/models", 405, "method_not_supported"), (.trace, "/health", 405, "method_not_supported"),
            (.get, "/v1/requests", 404, "unknown_url"), (.patch, "/v1/requests/", 404, "unknown_url"),
            (.get, "/v1/requests/x", 405, "method_not_supported"),
            (.post, "/v1/requests/x", 405, "method_not_supported"),
            (.delete, "/v1/sessions", 405, "method_not_supported"),
            (.patch, "/v1/sessions/x", 405, "method_not_supported"),
            (.get, "/v1/models/gpt-4", 404, "model_not_found"), (.get, "/v1/models/catena:5", 404, "model_not_found"),
            (.get, "/v1/models/catena:0", 404, "model_not_found"),
            (.get, "/v1/models/catena:01", 404, "model_not_found"),
        ] as [(HTTPMethod, String, Int, String)]
    )
    func refusals(method: HTTPMethod, path: String, status: Int, code: String) {
        let responder = Fixture().send(method, path)
        #expect(responder.response?.head.status.code == status)
        #expect(responder.json.names == ["error"])
        let error = responder.json["error"]
        #expect(error.names == ["message", "type", "param", "code"])
        #expect(error["type"].string == "invalid_request_error")
        #expect(error["code"].string == code)
        #expect(responder.response?.head.headers["x-request-id"] != nil)
        #expect(responder.response?.head.headers["content-type"] == "application/json")
    }

    @Test(
        arguments: [
            (.post, "/v1/models", "GET, HEAD, OPTIONS"), (.put, "/health", "GET, HEAD, OPTIONS"),
            (.get, "/v1/completions", "POST, OPTIONS"), (.post, "/readyz", "GET, HEAD, OPTIONS"),
        ] as [(HTTPMethod, String, String)]
    )
    func wrongMethodsAreToldTheRightOnes(method: HTTPMethod, path: String, allow: String) {
        let responder = Fixture().send(method, path)
        #expect(responder.response?.head.status == .methodNotAllowed)
        #expect(responder.response?.head.headers["allow"] == allow)
    }

    @Test(arguments: [
        ("*", "GET, HEAD, POST, PATCH, DELETE, OPTIONS"), ("/v1/completions", "POST, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"), ("/v1/models/x", "GET, HEAD, OPTIONS"),
        ("/v1/requests/x", "PATCH, DELETE, OPTIONS"), ("/v1/sessions", "GET, HEAD, OPTIONS"),
        ("/v1/sessions/x", "GET, HEAD, DELETE, OPTIONS"),
    ])
    func options(path: String, allow: String) {
        let responder = Fixture(model: nil).send(.options, path)
        #expect(responder.response?.head.status == .noContent)
        #expect(responder.response?.head.headers["allow"] == allow)
        #expect(responder.response?.body.isEmpty == true)
    }

    @Test(arguments: [
        (nil, "there is none"), ("text/plain", "got \"text/plain\""),
        ("application/x-www-form-urlencoded", "got \"application/x-www-form-urlencoded\""),
        ("application/jsonx", "got \"application/jsonx\""),
    ])
    func bodiesMustBeJSON(type: String?, found: String) {
        let headers: HTTPHeaders = type.map { ["Content-Type": $0] } ?? [:]
        let responder = Fixture().send(.post, "/v1/completions", headers: headers, body: "{}")
        #expect(responder.response?.head.status == .unsupportedMediaType)
        let message = "The header 'Content-Type' must be application/json; \(found)."
        #expect(responder.json["error"]["message"].string == message)
    }

    @Test(arguments: [
        "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x=y",
    ])
    func typesOfJSON(type: String) {
        let responder = Fixture().send(.post, "/v1/completions", headers: ["Content-Type": type], body: "{}")
        #expect(responder.json["error"]["param"].string == "prompt", "it was read as JSON")
    }

    @Test func nestingBombs() {
        for bomb in ["[", #"{"a":"#] {
            let body = String(repeating: bomb, count: 100_000)
            let responder = Fixture().send(
                .post,
                "/v1/completions",
                headers: ["Content-Type": "application/json"],
                body: body
            )
            #expect(responder.response?.head.status == .badRequest)
            #expect(responder.json["error"]["code"].string == "invalid_json")
        }
    }

    @Test func health() {
        let fixture = Fixture(model: nil)
        #expect(fixture.send(.get, "/health").response?.head.status.code == 503)
        #expect(fixture.send(.get, "/health").json["error"]["code"].string == "loading")
        fixture.state.becomeReady(model: .fake, codec: FakeCodec(), service: fixture.service)
        #expect(fixture.send(.get, "/health").response?.body == Array(#"{"status":"ok"}"#.utf8))
        fixture.state.drain()
        #expect(fixture.send(.get, "/health").response?.head.status.code == 200)
    }

    @Test func readinessAndCompletionsFollowTheState() {
        let fixture = Fixture(model: nil)
        func codes() -> [String?] {
            [
                fixture.send(.get, "/readyz").json["error"]["code"].string,
                fixture.complete(#""prompt":"a""#).json["error"]["code"].string,
            ]
        }
        #expect(codes() == ["loading", "loading"])
        let refusal = fixture.complete(#""prompt":"a""#).response
        #expect(refusal?.head.status.code == 503)
        #expect(refusal?.head.headers["retry-after"] == "2")
        #expect(refusal?.head.headers["retry-after-ms"] == "2000")
        fixture.state.becomeReady(model: .fake, codec: FakeCodec(), service: fixture.service)
        #expect(codes() == [nil, nil])
        #expect(fixture.send(.get, "/readyz").response?.head.status == .ok)
        fixture.state.drain()
        #expect(codes() == ["shutting_down", "shutting_down"])
        fixture.state.becomeReady(model: .fake, codec: FakeCodec(), service: fixture.service)
        #expect(fixture.state.phase == .draining)
        #expect(fixture.service.submitted.count == 1)
    }

    /// Balancers take a while to notice; what they send until then is answered.
    @Test func leavingIsNotReadyAndStillAnswers() {
        let fixture = Fixture()
        fixture.state.leave()
        #expect(fixture.send(.get, "/readyz").json["error"]["code"].string == "shutting_down")
        _ = fixture.complete(#""prompt":"a""#)
        #expect(fixture.service.submitted.count == 1)
        fixture.state.drain()
        fixture.state.leave()
        #expect(fixture.state.phase == .draining)
    }

    /// A model that is loaded only after the server was told to go down must not serve.
    @Test func drainingWhileLoading() {
        let fixture = Fixture(model: nil)
        fixture.state.drain()
        fixture.state.becomeReady(model: .fake, codec: FakeCodec(), service: fixture.service)
        #expect(fixture.complete(#""prompt":"a""#).json["error"]["code"].string == "shutting_down")
    }

    @Test func models() {
        let responder = Fixture().send(.get, "/v1/models")
        #expect(responder.response?.head.status == .ok)
        let data = responder.json["data"]
        #expect(responder.json["object"].string == "list")
        #expect(data.list.map { $0["id"].string } == ["catena", "catena:1", "catena:2", "catena:3", "catena:4"])
        #expect(data.list.allSatisfy { $0["object"].string == "model" && $0["created"].int == 1_700_000_000 })
        #expect(data[0]["quality"].list.map { $0["chains"].int } == [1, 2, 3, 4])
        #expect(data[0]["chains"].int == 4)
        #expect(data[0]["max_model_len"].int == 64)
        #expect(data[3]["chains"].int == 3)
        #expect(data[3]["quality"].count == 1)
        #expect(data[3]["quality"][0]["loss"].double == 1.25)
        #expect(data[3]["quality"][0]["perplexity"].double == 5)
        #expect(data[3]["quality"][0]["parameters"].int == 3000)
    }

    @Test(arguments: [("catena", "catena"), ("catena:2", "catena:2"), ("catena%3A2", "catena:2")])
    func oneModel(path: String, id: String) {
        let responder = Fixture().send(.get, "/v1/models/" + path)
        #expect(responder.json["id"].string == id)
        #expect(Fixture().send(.head, "/v1/models/" + path).response?.head.status == .ok)
    }

    @Test(arguments: [
        ("my-id.1", true), (String(repeating: "x", count: 128), true), (String(repeating: "x", count: 129), false),
        ("with space", false), ("é", false), ("", false),
    ])
    func requestIDs(id: String, isTaken: Bool) {
        for path in ["/health", "/nothing", "/v1/models"] {
            let headers = Fixture().send(.get, path, headers: ["X-Request-Id": id]).response?.head.headers
            #expect((headers?["x-request-id"] == id) == isTaken)
            #expect(headers?["x-request-id"]?.isEmpty == false)
        }
    }

    @Test func faultsOfTheTransport() {
        let response = Fixture().router.answer(to: Fault(431, "too many headers", headers: ["Retry-After": "3"]))
        #expect(response.head.status.code == 431)
        #expect(response.head.headers["retry-after"] == "3")
        #expect(response.head.headers["content-type"] == "application/json")
        let body = #"{"error":{"message":"too many headers","type":"invalid_request_error","param":null,"code":null}}"#
        #expect(String(decoding: response.body, as: UTF8.self) == body)
        let other = Fixture().router.answer(to: Fault(503, "too many connections"))
        #expect(String(decoding: other.body, as: UTF8.self).contains(#""type":"server_error""#))
    }

    @Test(
        arguments: [
            (0.0, 1, 1), (0.2, 1, 200), (1.2, 2, 1200), (119.5, 120, 119_500), (1e9, 120, 120_000), (-5, 1, 1),
            (.infinity, 120, 120_000),
        ] as [(Double, Int, Int)]
    )
    func retryDelays(seconds: Double, whole: Int, milliseconds: Int) {
        let delay = APIError(.overloaded(retryAfter: seconds)).retryDelay
        #expect(delay?.seconds == whole)
        #expect(delay?.milliseconds == milliseconds)
    }
}
