import Glibc
import TLS
import TestSupport
import Testing

@Suite struct TLSCredentialsTests {
    private let first = TestCertificate()
    private let second = TestCertificate()

    private func write(_ text: String, to path: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    private func text(of path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }

    @Test func readsWhatIsRight() throws {
        let context = try TLSContext(certificate: first.certificate, key: first.key)
        #expect(!context.isOutsideValidity)
        #expect(context.validUntil.hasSuffix("GMT"))
        // Both in one file.
        write(text(of: first.certificate) + text(of: first.key), to: first.certificate)
        #expect(throws: Never.self) { try TLSContext(certificate: first.certificate, key: first.certificate) }
    }

    @Test func tellsACertificateThatIsOver() throws {
        let old = TestCertificate(lifetime: -60)
        #expect(try TLSContext(certificate: old.certificate, key: old.key).isOutsideValidity)
    }

    @Test func saysWhichFileIsWrongAndHow() throws {
        func reason(_ certificate: String, _ key: String) -> TLSFileError? {
            #expect(throws: TLSFileError.self) { try TLSContext(certificate: certificate, key: key) }
        }
        let missing = reason("/nonexistent/c.pem", first.key)
        #expect(missing?.description.hasPrefix("/nonexistent/c.pem: the file cannot be read (No such file") == true)
        #expect(reason(first.certificate, "/nonexistent/k.pem")?.path == "/nonexistent/k.pem")
        #expect(reason("/", first.key)?.reason == .unreadable("Is a directory"))
        #expect(reason(first.key, first.key)?.reason == .noCertificate)
        #expect(reason(first.certificate, first.certificate)?.reason == .noKey)
        let mixed = reason(first.certificate, second.key)
        #expect(mixed == reason(first.certificate, second.key))
        #expect(mixed?.path == second.key)
        #expect(mixed?.reason == .mismatch(certificate: first.certificate))
        for label in ["BEGIN ENCRYPTED PRIVATE KEY", "BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"] {
            write("-----\(label)-----\nAAAA\n-----END PRIVATE KEY-----\n", to: second.key)
            #expect(reason(first.certificate, second.key)?.reason == .encryptedKey)
        }
        write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", to: second.certificate)
        let damaged = reason(second.certificate, first.key)
        #expect(damaged?.path == second.certificate)
        #expect(damaged?.description.contains("OpenSSL refuses it") == true)
    }

    @Test func reloadingTakesTheNewOneOrKeepsTheOld() throws {
        let credentials = try TLSCredentials(certificate: first.certificate, key: first.key)
        let before = credentials.current
        #expect(credentials.current === before)
        first.write(name: "renewed")
        try credentials.reload()
        let renewed = credentials.current
        #expect(renewed !== before)
        write("", to: first.key)
        let error = #expect(throws: TLSFileError.self) { try credentials.reload() }
        #expect(error?.reason == .noKey)
        #expect(credentials.current === renewed)
    }
}
