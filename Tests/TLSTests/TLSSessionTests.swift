import TLS
import TestSupport
import Testing

/// Server and client in memory, without a socket between them.
private final class Pair {
    let client: TLSClientSession
    let server: TLSSession
    private let room = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: TLSSession.recordSize)
    /// What the server has read.
    var received: [UInt8] = []
    /// What it said to the last bytes that it was given.
    var said: [UInt8] = []

    init(_ client: TLSClientSession, _ context: TLSContext) throws {
        self.client = client
        server = try #require(TLSSession(context))
    }

    deinit { room.deallocate() }

    /// Gives the server bytes in pieces of `step`; what it says in return.
    func give(_ bytes: [UInt8], step: Int = .max) throws -> [UInt8] {
        said = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(step))
            rest = rest.dropFirst(step)
            defer { server.takeOutput(into: &said) }
            try server.receive(piece.span, through: room) { plaintext in
                plaintext.withUnsafeBufferPointer { received += $0 }
            }
        }
        return said
    }

    /// Carries bytes to and fro until nobody has anything to say.
    func shakeHands(step: Int = .max) throws {
        client.goOn()
        while case let flight = client.takeOutput(), !flight.isEmpty {
            _ = try client.receive(try give(flight, step: step))
            client.goOn()
        }
    }

    func sealed(_ bytes: [UInt8]) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try server.seal($0) }
        var wire: [UInt8] = []
        server.takeOutput(into: &wire)
        return wire
    }
}

@Suite struct TLSSessionTests {
    private let certificate = TestCertificate()

    private func pair(_ client: TLSClientSession = TLSClientSession()) throws -> Pair {
        try Pair(client, TLSContext(certificate: certificate.certificate, key: certificate.key))
    }

    private static let tls12: Int32 = 0x0303
    private static let tls13: Int32 = 0x0304

    @Test(arguments: [(tls12, "TLSv1.2"), (tls13, "TLSv1.3")])
    func bothVersionsCarryBytesBothWays(version: Int32, name: String) throws {
        let pair = try pair(TLSClientSession(version: version))
        #expect(pair.server.isFresh)
        try pair.shakeHands()
        #expect(pair.server.isEstablished && pair.client.isEstablished)
        #expect(pair.server.version == name)
        #expect(pair.client.version == name)
        #expect(!pair.server.isFresh)
        pair.client.seal(Array("hello".utf8))
        _ = try pair.give(pair.client.takeOutput())
        #expect(pair.received == Array("hello".utf8))
        let big = [UInt8]((0..<TLSSession.recordSize).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        #expect(try pair.client.receive(try pair.sealed(big)) == big)
    }

    /// The network cuts where it likes: the same handshake and the same bytes come out.
    @Test(arguments: [tls12, tls13])
    func everythingMayComeByteByByte(version: Int32) throws {
        let pair = try pair(TLSClientSession(version: version))
        try pair.shakeHands(step: 1)
        #expect(pair.server.isEstablished)
        let text = Array(String(repeating: "0123456789", count: 4000).utf8)
        pair.client.seal(text)
        _ = try pair.give(pair.client.takeOutput(), step: 1)
        #expect(pair.received == text)
        pair.client.sayEnd()
        _ = try pair.give(pair.client.takeOutput(), step: 1)
        #expect(pair.server.isClosedByPeer)
    }

    /// All of it at once is more than one record, and more than one piece.
    @Test func manyRecordsMayComeAtOnce() throws {
        let pair = try pair()
        try pair.shakeHands()
        let text = [UInt8](repeating: 7, count: 300_000)
        pair.client.seal(text)
        _ = try pair.give(pair.client.takeOutput())
        #expect(pair.received == text)
    }

    @Test(arguments: [Int32(0x0301), 0x0302])
    func oldVersionsAreRefused(version: Int32) throws {
        let pair = try pair(TLSClientSession(version: version, ciphers: "ALL:@SECLEVEL=0"))
        pair.client.goOn()
        let error = #expect(throws: TLSFailure.self) { try pair.give(pair.client.takeOutput()) }
        #expect(error?.reason == "unsupported protocol")
        #expect(!pair.server.isEstablished)
    }

    /// CBC, static RSA, finite-field Diffie-Hellman, no encryption.
    @Test(arguments: ["ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "eNULL"])
    func weakCiphersAreRefused(cipher: String) throws {
        let pair = try pair(TLSClientSession(version: Self.tls12, ciphers: cipher + ":@SECLEVEL=0"))
        pair.client.goOn()
        let error = #expect(throws: TLSFailure.self) { try pair.give(pair.client.takeOutput()) }
        #expect(error?.reason == "no shared cipher")
    }

    @Test func theServerChoosesTheCipher() throws {
        let offers = ["ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"]
        let pair = try pair(TLSClientSession(version: Self.tls12, ciphers: offers[0]))
        try pair.shakeHands()
        #expect(pair.client.cipher == "ECDHE-ECDSA-AES256-GCM-SHA384")
        // Whoever puts ChaCha20 first has no AES in hardware.
        let phone = TLSClientSession(
            version: Self.tls12,
            ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
        )
        let second = try self.pair(phone)
        try second.shakeHands()
        #expect(phone.cipher == "ECDHE-ECDSA-CHACHA20-POLY1305")
    }

    @Test func alpnSettlesOnHTTP11() throws {
        for (offered, settled) in [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], "")] {
            let pair = try pair(TLSClientSession(alpn: offered))
            try pair.shakeHands()
            #expect(pair.client.alpn == settled)
        }
    }

    /// Attack (ALPACA): a client that means another protocol must not be answered as if it spoke this one.
    @Test func otherProtocolsAreRefused() throws {
        let pair = try pair(TLSClientSession(alpn: ["h2", "ftp"]))
        pair.client.goOn()
        #expect(throws: TLSFailure.self) { try pair.give(pair.client.takeOutput()) }
        let refusal = #expect(throws: TLSClientSession.Refusal.self) { try pair.client.receive(pair.said) }
        #expect(refusal?.description == "tlsv1 alert no application protocol")
    }

    @Test func renegotiationIsRefusedAndTheConnectionLivesOn() throws {
        let pair = try pair(TLSClientSession(version: Self.tls12))
        try pair.shakeHands()
        pair.client.renegotiate()
        let answer = try pair.give(pair.client.takeOutput())
        // An alert record, and no new handshake.
        #expect(answer.first == 21)
        #expect(pair.server.isEstablished)
    }

    @Test func keyUpdatesAreAnswered() throws {
        let pair = try pair(TLSClientSession(version: Self.tls13))
        try pair.shakeHands()
        pair.client.requestKeyUpdate()
        _ = try pair.client.receive(try pair.give(pair.client.takeOutput()))
        pair.client.seal([1, 2, 3])
        _ = try pair.give(pair.client.takeOutput())
        #expect(pair.received == [1, 2, 3])
        #expect(try pair.client.receive(try pair.sealed([4, 5])) == [4, 5])
    }

    @Test func theEndIsSaidOnceAndOnlyWhenThereWasABeginning() throws {
        let pair = try pair()
        pair.server.sayEnd()
        var wire: [UInt8] = []
        pair.server.takeOutput(into: &wire)
        #expect(wire.isEmpty)
        try pair.shakeHands()
        pair.server.sayEnd()
        pair.server.sayEnd()
        pair.server.takeOutput(into: &wire)
        _ = try pair.client.receive(wire)
        #expect(pair.client.isClosedByPeer)
    }

    @Test func halfClosingIsATLS13Matter() throws {
        for version in [Self.tls12, Self.tls13] {
            let pair = try pair(TLSClientSession(version: version))
            try pair.shakeHands()
            #expect(pair.server.allowsHalfClose == (version == Self.tls13))
        }
    }

    /// A record that was changed on its way, at any byte of it: nothing of it is believed, and an alert says so.
    @Test func changedRecordsAreRefused() throws {
        let text = Array("attack at dawn".utf8)
        let length = try {
            let pair = try self.pair()
            try pair.shakeHands()
            pair.client.seal(text)
            return pair.client.takeOutput().count
        }()
        for index in 0..<length {
            let pair = try pair()
            try pair.shakeHands()
            pair.client.seal(text)
            var record = pair.client.takeOutput()
            record[index] ^= 1
            // A longer length waits for bytes that do not come; everything else fails.
            let failure = Result { try pair.give(record) }
            if case .success = failure { #expect(index == 4 || index == 3, "byte \(index)") }
            #expect(pair.received.isEmpty)
        }
    }

    /// Whatever comes in place of a handshake: an error or a wait, and never a crash.
    @Test func noiseIsRefused() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<500 {
            let pair = try pair()
            pair.client.goOn()
            var bytes = pair.client.takeOutput()
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            _ = try? pair.give(bytes)
            #expect(!pair.server.isEstablished)
            #expect(pair.received.isEmpty)
        }
    }
}
