// Session names as file names: safe, different, and back again.

import TestSupport
import Testing

@testable import KVCache

@Suite struct SnapshotFileNameTests {
    /// Against `printf %s NAME | base32`, and the vectors of RFC 4648, section 10.
    @Test(arguments: [
        ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"),
        ("foobar", "mzxw6ytboi"), ("chat-7", "mnugc5bng4"), ("..", "fyxa"), ("/", "f4"), ("\u{0}", "aa"),
    ])
    func isBase32InLowerCase(name: String, text: String) throws {
        let file = try #require(SnapshotFileName(name: name))
        #expect(file.text == text + ".kv")
        #expect(SnapshotFileName(file: file.text)?.name == name)
    }

    @Test func everyNameHasAFileOfItsOwnEvenWhereCaseIsIgnored() throws {
        var random = SeededGenerator(seed: 3)
        var names: [[UInt8]] = [
            "a", "A", "aa", "AA", "a/", "a.", "a ", "\u{E9}", "e\u{301}", "ß", "ss", "K", "\u{212A}",
        ]
        .map { Array($0.utf8) }
        for _ in 0..<2000 {
            names.append(
                (0..<Int.random(in: 1...150, using: &random)).map { _ in .random(in: 32...126, using: &random) }
            )
        }
        let files = try names.map { try #require(SnapshotFileName(name: String(decoding: $0, as: UTF8.self))) }
        #expect(
            Set(files).count == Set(names).count && Set(files.map { $0.text.uppercased() }).count == Set(names).count
        )
        for (name, file) in zip(names, files) {
            #expect(file.text.utf8.count <= 255 && file.text.utf8.allSatisfy { $0 >= 0x2E && $0 <= 0x7A })
            #expect(SnapshotFileName(file: file.text).map { Array($0.name.utf8) } == name)
        }
    }

    @Test func namesHaveALength() {
        #expect(SnapshotFileName(name: "") == nil)
        #expect(SnapshotFileName(name: String(repeating: "x", count: 150))?.text.utf8.count == 243)
        #expect(SnapshotFileName(name: String(repeating: "x", count: 151)) == nil)
        #expect(SnapshotFileName(name: String(repeating: "é", count: 76)) == nil)
    }

    @Test(arguments: [
        "", ".", "..", ".kv", "mzxw6", "mzxw6.kv.bak", "MZXW6.kv", "mzxw6.KV", "mzxw6=.kv", "mzxw1.kv", "mz xw6.kv",
        // Bits or letters too many, a text that is not UTF-8, a letter that Swift takes for another.
        "mz.kv", "mzxw7.kv", "mzxw6a.kv", "m.kv", "74.kv", "mzx\u{FF57}6.kv",
    ])
    func aForeignFileIsNoSnapshot(file: String) {
        #expect(SnapshotFileName(file: file) == nil)
    }
}
