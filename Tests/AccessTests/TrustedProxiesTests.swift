import HTTP1
import Testing

@testable import Access

@Suite struct TrustedProxiesTests {
    private let proxies = TrustedProxies(
        ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"].compactMap { AddressRange($0) }
    )
    private let proxy = PeerAddress.ipv4(0x0A00_0001, port: 1000)

    @Test(arguments: [
        ([], "10.0.0.1:1000"), (["198.51.100.7"], "198.51.100.7:0"), (["198.51.100.7:4711"], "198.51.100.7:0"),
        (["198.51.100.7, 10.1.2.3"], "198.51.100.7:0"), (["198.51.100.7,10.1.2.3 , 192.0.2.1"], "198.51.100.7:0"),
        (["198.51.100.7", "10.1.2.3"], "198.51.100.7:0"),
        // What stands before it the client may have written.
        (["203.0.113.9, 198.51.100.7"], "198.51.100.7:0"), (["10.9.9.9, 198.51.100.7, 10.1.2.3"], "198.51.100.7:0"),
        (["198.51.100.7, 192.0.2.2"], "192.0.2.2:0"),
        (["[2001:db9::1]:80"], "[2001:db9:0:0:0:0:0:1]:0"), (["2001:db9::1, 2001:db8::5"], "[2001:db9:0:0:0:0:0:1]:0"),
        (["::ffff:198.51.100.7"], "198.51.100.7:0"),
        // Nonsense is as far as it goes.
        (["unknown"], "10.0.0.1:1000"), (["198.51.100.7, unknown, 10.1.2.3"], "10.1.2.3:0"), ([""], "10.0.0.1:1000"),
        (["198.51.100.7,"], "10.0.0.1:1000"), (["10.1.2.3"], "10.1.2.3:0"),
    ])
    func clients(forwarded: [String], client: String) {
        #expect("\(proxies.client(of: proxy) { forwarded })" == client)
    }

    @Test func strangersAreNotBelieved() {
        for peer in [PeerAddress.ipv4(0xC633_6407, port: 1), .ipv6(0x2001_0DB9 << 32, 1, port: 1), .unix] {
            #expect(proxies.client(of: peer) { ["203.0.113.9"] } == peer)
            #expect(TrustedProxies().client(of: peer) { ["203.0.113.9"] } == peer)
        }
        let unix = TrustedProxies([], trustsUnixSockets: true)
        #expect("\(unix.client(of: .unix) { ["203.0.113.9"] })" == "203.0.113.9:0")
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "::1", false), ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.128/25", "192.0.2.200", true),
        ("::1", "::1", true), ("2001:db8::/33", "2001:db8:8000::", false), ("127.0.0.1", "::ffff:127.0.0.1", true),
    ])
    func ranges(range: String, address: String, isIn: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(try #require(NumericAddress(address))) == isIn)
    }

    @Test(arguments: [
        "", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.1/8", "10.0.0.0/", "10.0.0", "::/129",
        "1/2/3",
        "10.0.0.0/8/8", "::1\u{0}",
    ])
    func noRanges(text: String) {
        #expect(AddressRange(text) == nil)
    }
}
