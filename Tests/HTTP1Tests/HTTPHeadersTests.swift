import HTTP1
import Testing

@Suite struct HTTPHeadersTests {
    private let headers: HTTPHeaders = ["Accept": "a", "X": "1", "accept": "b"]

    @Test func lookupIgnoresCaseAndKeepsOrder() {
        #expect(headers["ACCEPT"] == "a")
        #expect(headers.values("Accept") == ["a", "b"])
        #expect(headers.contains("x"))
        #expect(headers["missing"] == nil)
        #expect(headers.values("missing") == [])
        #expect(headers["accep"] == nil && headers["accept "] == nil)
        #expect(headers.map(\.name) == ["Accept", "X", "accept"])
        #expect(headers.map(\.value) == ["a", "1", "b"])
    }

    /// `[` and `{` differ by the bit that ASCII letters differ by in case.
    @Test func onlyLettersHaveCase() {
        let headers: HTTPHeaders = ["a^": "1"]
        #expect(headers["a~"] == nil)
    }

    @Test func settingReplacesAll() {
        var headers = headers
        headers.set("ACCEPT", "c")
        #expect(headers.values("accept") == ["c"])
        #expect(headers == ["X": "1", "ACCEPT": "c"])
        headers.removeAll("x")
        #expect(headers == ["ACCEPT": "c"])
        #expect(headers.count == 1)
    }

    @Test func equalityIsOfNamesAndValuesInOrder() {
        #expect(headers != ["Accept": "a", "accept": "b", "X": "1"])
        #expect(HTTPHeaders() == [:])
    }
}
