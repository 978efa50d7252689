import ModelIO
import Testing

@Suite struct JSONReaderTests {
    private func read(_ text: String) throws -> JSONValue { try read(Array(text.utf8)) }
    private func read(_ bytes: [UInt8]) throws -> JSONValue { try bytes.withUnsafeBytes { try JSONReader.read($0) } }

    @Test func values() throws {
        let object = try #require(try read(" {\"a\" : [1, -0.5e2, true,\tnull] ,\"b\":{}}\r\n").object)
        let list = try #require(object["a"]?.array)
        #expect(
            list[0].int == 1 && list[1].int == nil && list[1].double == -50 && list[2].bool == true && list[3].isNull
        )
        #expect(object["b"]?.object?.count == 0 && object["c"] == nil)
        #expect(try read("-9223372036854775808").int == .min)
        #expect(try read("9223372036854775808").int == nil)
        #expect(try read("1e999").double == nil)
    }

    @Test(arguments: [
        ("\"\\u0041\\n\\/\\\\\\\"\"", "A\n/\\\""), ("\"\\ud83d\\ude00\"", "😀"), ("\"é\\u0000\"", "é\0"), ("\"\"", ""),
        ("\"\\uFFFF\u{10FFFF}\"", "\u{FFFF}\u{10FFFF}"),
    ])
    func strings(text: String, value: String) throws {
        #expect(try read(text).string == value)
    }

    /// Canonically equivalent keys are different keys; equal bytes are a duplicate.
    @Test func keysAreBytes() throws {
        let object = try #require(try read("{\"\u{E9}\": 1, \"e\u{301}\": 2}").object)
        #expect(object["\u{E9}"]?.int == 1 && object["e\u{301}"]?.int == 2)
        #expect(throws: JSONError(offset: 14, problem: "the key \"é\" occurs twice")) { try read("{\"é\":1,\"é\":2}") }
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "01",
        "-", "+1", ".5",
        "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "tru", "nulll", "\"", "\"\\", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\n\"", "1 2", "// 1", "[1}",
        "\u{FEFF}1",
        "'a'",
    ])
    func refuses(text: String) {
        #expect(throws: JSONError.self) { try read(text) }
    }

    @Test(
        arguments: [[0x80], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF]] as [[UInt8]]
    )
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError(offset: 1, problem: "a string that is not UTF-8")) {
            try read([0x22] + bytes + [0x22])
        }
        #expect(throws: JSONError(offset: 1, problem: "a string that is not UTF-8")) {
            try read([0x22, 0x5C, 0x6E] + bytes + [0x22])
        }
    }

    @Test func depthIsLimited() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try read(nested(64))
        #expect(throws: JSONError(offset: 64, problem: "nested more than 64 deep")) { try read(nested(65)) }
        #expect(throws: JSONError.self) { try read(String(repeating: "[", count: 1_000_000)) }
    }
}
