import Foundation
import Testing

/// docs/threat-model.md names the test of each defence; this holds the names against the sources.
@Suite struct ThreatModelTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        .standardizedFileURL

    private func document() throws -> String {
        try String(contentsOf: root.appendingPathComponent("docs/threat-model.md"), encoding: .utf8)
    }

    /// The sources of all Swift tests.
    private func swiftTests() throws -> [String] {
        let folder = root.appendingPathComponent("Tests")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        return try files.compactMap { $0 as? URL }.filter { $0.lastPathComponent.hasSuffix("Tests.swift") }
            .map { try String(contentsOf: $0, encoding: .utf8) }
    }

    @Test func suitesAndTestsExist() throws {
        let sources = try swiftTests()
        let names = try document().matches(of: /`([A-Z]\w+Tests)(?:\.(\w+))?`/)
        #expect(names.count > 40)
        for name in names {
            // Two modules may have suites of one name.
            let suites = sources.filter { $0.contains("struct \(name.1) ") }
            #expect(!suites.isEmpty, "there is no suite \(name.1)")
            guard let test = name.2 else { continue }
            #expect(suites.contains { $0.contains("func \(test)(") }, "there is no test \(name.1).\(test)")
        }
    }

    @Test func endToEndTestsExist() throws {
        let names = try document().matches(of: /`(test_\w+\.py)::(test_\w+)`/)
        #expect(names.count > 8)
        for name in names {
            let file = root.appendingPathComponent("Tests/EndToEnd/\(name.1)")
            let source = try String(contentsOf: file, encoding: .utf8)
            #expect(source.contains("def \(name.2)("), "there is no \(name.0)")
        }
    }

    @Test func fuzzTargetsExist() throws {
        let names = try document().matches(of: /`(Fuzz[A-Z]\w+)`/)
        #expect(names.count > 5)
        for name in names {
            let main = root.appendingPathComponent("Tests/Fuzz/\(name.1)/main.swift").path
            #expect(FileManager.default.fileExists(atPath: main), "there is no \(name.1)")
        }
    }
}
