import HTTP1
import Pages
import Testing

@testable import API

/// `/` and `/openapi.json`.
@Suite struct PageRouteTests {
    @Test(arguments: [("/", "text/html; charset=utf-8"), ("/openapi.json", "application/json")])
    func pages(path: String, type: String) throws {
        // No model is needed to read about it.
        let fixture = Fixture(model: nil)
        let answer = try #require(fixture.send(.get, path).response)
        #expect(answer.head.status == .ok)
        #expect(answer.head.headers["content-type"] == type)
        #expect(answer.head.headers["cache-control"] == "no-cache")
        #expect(answer.head.headers["x-content-type-options"] == "nosniff")
        #expect(answer.body.count > 1000)
        let tag = try #require(answer.head.headers["etag"])
        let known = try #require(fixture.send(.get, path, headers: ["If-None-Match": "\"other\", \(tag)"]).response)
        #expect(known.head.status == .notModified)
        #expect(known.body.isEmpty)
        #expect(known.head.headers["etag"] == tag)
        // RFC 9110, section 15.4.5: what a cache needs of the 200 stands in the 304 too.
        #expect(known.head.headers["cache-control"] == "no-cache")
        #expect(known.head.headers["vary"] == "Accept-Encoding")
        #expect(known.head.headers["content-type"] == nil)
        let other = fixture.send(.get, path, headers: ["If-None-Match": "\"other\""]).response
        #expect(other?.head.status == .ok)
    }

    @Test func playgroundIsUnderAPolicy() {
        let headers = Fixture().send(.get, "/").response?.head.headers
        #expect(headers?["content-security-policy"] == Page.playground.policy)
        #expect(headers?["referrer-policy"] == "no-referrer")
    }

    @Test func playgroundCanBeTurnedOff() {
        var options = APIOptions()
        options.hasPlayground = false
        let fixture = Fixture(options: options)
        for method in [HTTPMethod.get, .head, .options] {
            #expect(fixture.send(method, "/").json["error"]["code"].string == "unknown_url")
        }
        #expect(fixture.send(.get, "/openapi.json").response?.head.status == .ok)
    }
}
