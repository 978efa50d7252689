import Foundation
import Testing

@testable import Access

/// Hashes, lines, tables and files of keys.
@Suite struct KeyTests {
    /// FIPS 180-4's own examples, and what `printf %s test | sha256sum` says.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("test", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ])
    func hashes(text: String, digest: String) throws {
        let hash = KeyHash(of: text)
        #expect(hash.description == "sha256:" + digest)
        #expect(KeyHash("sha256:" + digest.uppercased()) == hash)
        #expect(hash.matches(try #require(KeyHash("sha256:" + digest))))
        #expect(!hash.matches(KeyHash(of: text + "x")))
    }

    @Test(arguments: [
        "", "sha256:", "sha256:00", "SHA256:" + zeros, "sha256:" + zeros + "0", "sha256:g" + zeros.dropFirst(),
    ])
    func noHashes(text: String) {
        #expect(KeyHash(text) == nil)
    }

    static let zeros = String(repeating: "0", count: 64)

    @Test func newKeysAreLongAndUnlike() {
        let keys = (0..<100).map { _ in RandomKey().text }
        #expect(Set(keys).count == 100)
        for key in keys {
            #expect(key.hasPrefix("sk-") && key.utf8.count == 51)
            #expect(key.dropFirst(3).allSatisfy { $0.isNumber || ($0.isLowercase && !"ilou".contains($0)) })
        }
        #expect(RandomKey().hash.description.utf8.count == 71)
    }

    private func line(_ fields: String) -> String { "sha256:\(Self.zeros) \(fields)" }

    @Test func readsALine() throws {
        let fields =
            "name=a.b_C-1 chains=2 priority=-5 requests_per_minute=60\ttokens_per_minute=9000  max_concurrent=3 "
        let key = try AccessKey(line: line(fields))
        #expect(key.name == "a.b_C-1")
        #expect(key.chains == 2 && key.priority == -5 && key.maxConcurrent == 3)
        #expect(key.requestsPerMinute == 60 && key.tokensPerMinute == 9000 && key.isLimited)
        let plain = try AccessKey(line: line("name=x"))
        #expect(plain.chains == nil && plain.priority == nil && !plain.isLimited && plain.maxConcurrent == nil)
    }

    @Test(
        arguments: [
            ("name=a", .noHash), ("", .noHash), ("sk-0123 name=a", .noHash),
            ("sha256:\(zeros)", .noName(longest: 20)), ("sha256:\(zeros) name=", .noName(longest: 20)),
            ("sha256:\(zeros) name=a/b", .noName(longest: 20)), ("sha256:\(zeros) name=\u{e9}", .noName(longest: 20)),
            ("sha256:\(zeros) name=abcdefghijklmnopqrstu", .noName(longest: 20)),
            ("sha256:\(zeros) alice", .notAnAssignment), ("sha256:\(zeros) name=a name=a", .repeated("name")),
            ("sha256:\(zeros) name=a chains=0", .notInRange("chains", 1...64)),
            ("sha256:\(zeros) name=a chains=two", .notInRange("chains", 1...64)),
            ("sha256:\(zeros) name=a priority=101", .notInRange("priority", -100...100)),
            ("sha256:\(zeros) name=a max_concurrent=-1", .notInRange("max_concurrent", 1...1_000_000)),
        ] as [(String, KeyLineError)]
    )
    func noLines(line: String, error: KeyLineError) {
        #expect(throws: error) { try AccessKey(line: line) }
    }

    @Test func anUnknownFieldIsToldTheKnownOnes() {
        #expect {
            try AccessKey(line: line("name=a rpm=3"))
        } throws: { error in
            "\(error)".contains("requests_per_minute, tokens_per_minute")
        }
    }

    /// An operator may have put the key where its hash belongs, and errors are logged.
    @Test(arguments: ["sk-secret name=a", "sha256:\(zeros) sk-secret", "sha256:\(zeros) sk-secret=1 name=a"])
    func errorsDoNotRepeatTheLine(line: String) {
        #expect {
            try AccessKey(line: line)
        } throws: { error in
            !"\(error)".contains("secret")
        }
    }

    private func key(_ text: String, _ fields: String) throws -> AccessKey {
        try AccessKey(line: "\(KeyHash(of: text)) \(fields)")
    }

    @Test func findsKeys() throws {
        var table = KeyTable()
        #expect(table.find("") == nil)
        for index in 0..<50 { try table.add(key("key-\(index)", "name=n\(index)")) }
        for index in 0..<50 { #expect(table.find("key-\(index)")?.name == "n\(index)") }
        for wrong in ["", "key-50", "key-1 ", "KEY-1", KeyHash(of: "key-1").description] {
            #expect(table.find(wrong) == nil, "\(wrong)")
        }
    }

    /// Two keys of one name, while clients change from the old to the new one, have the same limits.
    @Test func keysOfOneNameAreAlike() throws {
        var table = KeyTable()
        try table.add(key("a", "name=alice chains=2"))
        try table.add(key("b", "name=alice chains=2"))
        #expect(throws: KeyTableError.otherLimits(name: "alice")) { try table.add(key("c", "name=alice")) }
        #expect(throws: KeyTableError.sameKey(name: "alice")) { try table.add(key("b", "name=bob")) }
        #expect(table.keys.count == 2)
    }

    // MARK: Files

    private func store(_ text: String, lines: [String] = []) throws -> (KeyStore, URL) {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data(text.utf8).write(to: file)
        return (KeyStore(lines: lines, file: file.path), file)
    }

    @Test func readsAFileAndReadsItAgain() throws {
        let (store, file) = try store("# keys\n\n  # more\n\(KeyHash(of: "a")) name=a\r\n\(KeyHash(of: "b")) name=b")
        #expect(store.find("a") == nil, "nobody before the first load")
        try store.load()
        #expect(store.count == 2 && store.find("a")?.name == "a" && store.find("b")?.name == "b")
        try Data("\(KeyHash(of: "c")) name=c\n".utf8).write(to: file)
        try store.load()
        #expect(store.count == 1 && store.find("a") == nil && store.find("c")?.name == "c")
    }

    @Test(arguments: [
        ("sha256:12 name=a\n", ":1: a key must begin with its hash"), ("\n#\nnonsense\n", ":3: a key must begin"),
        ("\(KeyHash(of: "a")) name=a\n\(KeyHash(of: "a")) name=b\n", ":2: the same key is there before, as a"),
    ])
    func aBadFileKeepsTheOldKeys(text: String, problem: String) throws {
        let (store, file) = try store("\(KeyHash(of: "old")) name=old\n")
        try store.load()
        try Data(text.utf8).write(to: file)
        let error = #expect(throws: KeyFileError.self) { try store.load() }
        #expect(error?.description.hasPrefix(file.path + problem) == true, "\(String(describing: error))")
        #expect(store.find("old") != nil)
        try FileManager.default.removeItem(at: file)
        #expect(throws: KeyFileError.self) { try store.load() }
        try Data([0xFF, 0xFE]).write(to: file)
        #expect(throws: KeyFileError.self) { try store.load() }
        #expect(store.find("old") != nil)
    }

    @Test func linesOfTheConfigurationJoinThem() throws {
        let (store, _) = try store("\(KeyHash(of: "b")) name=b\n", lines: ["\(KeyHash(of: "a")) name=a"])
        try store.load()
        #expect(store.find("a") != nil && store.find("b") != nil)
        let wrong = KeyStore(lines: ["x"], file: nil)
        let error = #expect(throws: KeyFileError.self) { try wrong.load() }
        #expect(error?.place == "keys.list, entry 1")
    }
}
