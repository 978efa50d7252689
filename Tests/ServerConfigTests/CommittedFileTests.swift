import Foundation
import Testing

@testable import ServerConfig

/// The committed `config.yaml` is the documentation for operators; this keeps it true.
@Suite struct CommittedFileTests {
    private let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("config.yaml").path

    @Test func isTheDefaults() throws {
        #expect(try EffectiveConfiguration(file: path).values == ServerConfiguration())
    }

    @Test func hasEveryKey() throws {
        let configuration = try EffectiveConfiguration(file: path)
        for setting in ServerConfiguration.settings {
            #expect(configuration.origin(of: setting.path) != .defaultValue, "\(setting.path) is not in config.yaml")
        }
    }

    /// Every key and section has a comment above it.
    @Test func explainsEveryKey() throws {
        let lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
        for (previous, line) in zip(lines, lines.dropFirst()) {
            let text = line.trimmingCharacters(in: .whitespaces)
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            #expect(previous.trimmingCharacters(in: .whitespaces).hasPrefix("# "), "no comment above '\(text)'")
        }
    }

    /// Every stored property of the struct is a key: one that was forgotten in the table could not be set.
    @Test func everyPropertyIsAKey() {
        func paths(of value: Any, below parent: [String]) -> [String] {
            Mirror(reflecting: value).children.flatMap { child -> [String] in
                let words = (child.label ?? "").reduce(into: "") { words, letter in
                    words += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
                }
                let path = parent + [words]
                // Sections are structs of this module; values are everything else.
                let isSection = String(reflecting: type(of: child.value)).hasPrefix("ServerConfig.ServerConfiguration.")
                let isStruct = Mirror(reflecting: child.value).displayStyle == .struct
                return isSection && isStruct ? paths(of: child.value, below: path) : [path.joined(separator: ".")]
            }
        }
        let expected = paths(of: ServerConfiguration(), below: [])
        #expect(expected.sorted() == ServerConfiguration.settings.map(\.path).sorted())
        #expect(expected.count > 40)
    }

    /// Setting one key changes nothing else: no two keys of the table share a property.
    @Test func keysAreIndependent() throws {
        let samples = [
            "7", "77", "32", "70000", "1h", "1GiB", "2GiB", "3.5", "true", "false", "native", "f32", "debug", "cancel",
            "name",
            "1", "1-2", "map", "chatml", "10.0.0.0/8", "https://example.com",
            "sha256:" + String(repeating: "0", count: 64) + " name=a",
        ]
        for setting in ServerConfiguration.settings {
            let before = ServerConfiguration()
            var after = before
            let changed = samples.contains { sample in
                var candidate = before
                guard setting.store(.text(sample), &candidate), setting.show(candidate) != setting.show(before) else {
                    return false
                }
                after = candidate
                return true
            }
            #expect(changed, "no sample changes \(setting.path)")
            for other in ServerConfiguration.settings where other.path != setting.path {
                #expect(other.show(after) == other.show(before), "\(setting.path) changes \(other.path)")
            }
        }
    }
}
