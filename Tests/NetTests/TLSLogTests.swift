import HTTP1
import TestSupport
import Testing

@Suite struct TLSLogTests {
    /// What has no line in the access log has one here, too few of them to fill a disk.
    @Test func failedHandshakesAreLogged() throws {
        let secure = try TLSTests.Secure()
        let lines = secure.server.lines
        for _ in 0..<15 {
            let client = try secure.rawClient()
            client.sendRaw([22, 3, 1, 255, 255])
            _ = try client.readToEnd()
        }
        #expect(eventually { secure.server.server.connectionCount == 0 })
        #expect(lines.value.count == 10)
        for line in lines.value {
            #expect(line.hasPrefix("info: the TLS handshake with 127.0.0.1:") && line.contains(" failed: "))
        }
        // A client that breaks the protocol later, or leaves, is not one of them.
        let others = try TLSTests.Secure()
        let late = try others.client()
        late.send("/".get)
        _ = try late.readAnswer()
        late.sendRaw([23, 3, 3, 0, 20] + [UInt8](repeating: 0, count: 20))
        #expect(throws: (any Error).self) { try late.readToEnd() }
        try others.rawClient().shutdownWriting()
        #expect(eventually { others.server.server.connectionCount == 0 })
        #expect(others.server.lines.value == [])
    }
}
