import CZlib
import Foundation
import JSON
import ModelIO
import Testing
import Tokenizer

/// The ids and texts of the `tokenizers` package, on strings of all planes of Unicode, controls, white space, code, added
/// tokens whole and in parts, and on random ids whose bytes are often no UTF-8.
@Suite struct FixtureTests {
    /// One line of strings.jsonl.gz.
    private struct Line {
        var text: String?
        /// Whether special tokens are parsed and the template applies.
        var mode: String
        var ids: [Int32]
        var decoded: String
    }

    @Test(arguments: [("catena", 11_000), ("gpt2style", 11_000), ("added", 3000), ("llama3", 3000), ("splits", 3000)])
    func sameIDsAndTexts(name: String, count: Int) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/tokenizers/\(name)").path
        let tokenizer = try BPETokenizer(path: folder + "/tokenizer.json")
        let lines = try Self.lines(of: folder + "/strings.jsonl.gz")
        #expect(lines.count == count)
        var failures: [String] = []
        for line in lines {
            let skipSpecial = line.mode == "special"
            let decoded = try tokenizer.decode(line.ids, skipSpecial: skipSpecial)
            if ExactKey(text: decoded) != ExactKey(text: line.decoded) { failures.append("\(line) gave \(decoded)") }
            guard let text = line.text else { continue }
            let ids = try tokenizer.encode(text, addSpecial: skipSpecial, parseSpecial: line.mode != "plain")
            if ids != line.ids { failures.append("\(line) gave \(ids)") }
        }
        #expect(failures.isEmpty, "\(failures.count) of \(lines.count), first: \(failures.prefix(3))")
    }

    private static func lines(of path: String) throws -> [Line] {
        try gunzip(path).split(separator: UInt8(ascii: "\n")).map { line in
            let fields = try Array(line).withUnsafeBytes { try JSONFields(parsing: $0, file: path) }
            return Line(
                text: try fields.optionalString("text"),
                mode: try fields.optionalString("mode") ?? "parsed",
                ids: try fields.ints("ids").map(Int32.init),
                decoded: try fields.string("decoded")
            )
        }
    }

    private static func gunzip(_ path: String) throws -> [UInt8] {
        let file = try #require(gzopen(path, "rb"), "\(path)")
        defer { gzclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Int(gzread(file, &chunk, UInt32(chunk.count)))
            try #require(count >= 0, "\(path)")
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }
}
