import HTTP1
import Testing

@testable import API

/// Requests of one address are one client's to the scheduler, whatever connections they come on.
@Suite struct FairnessTests {
    private func client(_ peer: PeerAddress) throws -> String {
        let fixture = Fixture()
        let head = RequestHead(
            method: .post,
            target: RequestTarget(path: "/v1/completions"),
            headers: ["Content-Type": "application/json"]
        )
        let request = Request(head: head, body: Array(#"{"prompt":"a"}"#.utf8), peer: peer)
        fixture.router.handle(request, FakeResponder())
        fixture.router.decoding.sync(flags: .barrier) {}
        return try #require(fixture.service.submitted.first).client
    }

    @Test func anAddressIsAClient() throws {
        let one = try client(.ipv4(0x7F00_0001, port: 1000))
        #expect(try client(.ipv4(0x7F00_0001, port: 2000)) == one)
        #expect(try client(.ipv4(0x7F00_0002, port: 1000)) != one)
    }

    /// Who has one address of a /64 has all of them.
    @Test func aNetworkOfIPv6IsAClient() throws {
        let one = try client(.ipv6(0x2001_0DB8, 1, port: 1))
        #expect(try client(.ipv6(0x2001_0DB8, 2, port: 2)) == one)
        #expect(try client(.ipv6(0x2001_0DB9, 1, port: 1)) != one)
        #expect(try client(.unix) != one)
    }
}
