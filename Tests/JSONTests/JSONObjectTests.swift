import JSON
import Testing

@Suite struct JSONObjectTests {
    private func read(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8), of: "the text") }

    @Test func values() throws {
        let object = try #require(try read(" {\"a\" : [1, -0.5e2, true,\tnull] ,\"b\":{}}\r\n").object)
        let list = try #require(object["a"]?.array)
        #expect(
            list[0].int == 1 && list[1].int == nil && list[1].double == -50 && list[2].bool == true && list[3].isNull
        )
        #expect(object["b"]?.object?.count == 0 && object["c"] == nil)
        #expect(try read("-9223372036854775808").int == .min)
        #expect(try read("9223372036854775808").int == nil)
        #expect(try read("9223372036854775808").double == 0x1p63)
        #expect(try read("7").double == 7 && read("7.0").int == nil && read("\"7\"").double == nil)
    }

    /// Canonically equivalent keys are different keys; equal bytes are a duplicate.
    @Test func keysAreBytes() throws {
        let object = try #require(try read("{\"\u{E9}\": 1, \"e\u{301}\": 2, \"\": 3}").object)
        #expect(object["\u{E9}"]?.int == 1 && object["e\u{301}"]?.int == 2 && object[""]?.int == 3)
        let error = #expect(throws: JSONError.self) { try read("{\"é\":1,\"é\":2}") }
        #expect(error?.offset == 8 && error?.problem == "the name \"é\" occurs twice in one object")
    }

    /// Of every size around the one where names get a hash table.
    @Test(arguments: [1, 2, 7, 8, 9, 10, 1000])
    func findsEveryNameOnce(count: Int) throws {
        // Two spellings that String calls equal, in turn; some too long to be stored in place.
        let keys = (0..<count).map {
            ($0 % 2 == 0 ? "\u{E9}" : "e\u{301}") + String(repeating: "x", count: $0 / 2 % 40) + "\($0 / 2)"
        }
        var object = JSONObject()
        #expect(object.isEmpty)
        for (value, key) in keys.enumerated() {
            #expect(object[key] == nil)
            let added = object.add(key, .integer(Int64(value)))
            #expect(added)
        }
        for (value, key) in keys.enumerated() {
            let added = object.add(key, .null)
            #expect(!added)
            #expect(object[key]?.int == value, "a refused member changes nothing")
        }
        #expect(object.count == count && object.members.map(\.key.utf8.count) == keys.map(\.utf8.count))
    }

    /// Untrusted names go into messages: short, on one line.
    @Test func quotesForMessages() {
        #expect(quoted("a\n\u{7F}é\"") == "\"a\\u{a}\\u{7f}é\"\"")
        #expect(quoted(String(repeating: "x", count: 120)) == "\"" + String(repeating: "x", count: 120) + "\"")
        #expect(quoted(String(repeating: "x", count: 1000)) == "\"" + String(repeating: "x", count: 120) + "...\"")
    }
}
