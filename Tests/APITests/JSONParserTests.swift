import Foundation
import Testing

@testable import API

@Suite struct JSONParserTests {
    @Test(arguments: [
        ("null", JSONValue.null),
        (" true ", .bool(true)),
        ("\t\r\nfalse", .bool(false)),
        ("0", .integer(0)),
        ("-0", .integer(0)),
        ("-12", .integer(-12)),
        ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .unsigned(9_223_372_036_854_775_808)),
        ("18446744073709551615", .unsigned(.max)),
        ("18446744073709551616", .double(18_446_744_073_709_551_616)),
        ("1.5e3", .double(1500)),
        ("-1E-2", .double(-0.01)),
        ("1e-999", .double(0)),
        (#""""#, .string("")),
        (#""a\"\\\/\b\f\n\r\tz""#, .string("a\"\\/\u{8}\u{C}\n\r\tz")),
        (#""\u0041\u00e9\u20AC\ud83e\udd9c""#, .string("Aé€🦜")),
        (#""\u0000""#, .string("\0")),
        ("\"é€🦜\u{7F}\"", .string("é€🦜\u{7F}")),
        ("[]", .array([])),
        ("[1 , [ ] ,\"a\"]", .array([.integer(1), .array([]), .string("a")])),
        ("{}", .object([:])),
        (#"{ "a" : 1 , "b" : { "a" : null } }"#, .object(["a": .integer(1), "b": .object(["a": .null])])),
    ])
    func reads(text: String, expected: JSONValue) throws {
        #expect(try JSONParser.parse(Array(text.utf8)) == expected)
    }

    @Test(arguments: [
        ("", "the end of the body where a value should be", 1, 1),
        ("  ", "the end of the body where a value should be", 1, 3),
        ("{", "the end of the body where a name in quotes should be", 1, 2),
        ("{\n  \"a\": 1,\n  }", "'}' where a name in quotes should be", 3, 3),
        (#"{"a" 1}"#, "'1' where ':' should be", 1, 6),
        (#"{"a":1 "b":2}"#, "'\"' where ',' or '}' should be", 1, 8),
        (#"{"a":1,"a":2}"#, "the name \"a\" twice in one object", 1, 8),
        (#"{"a":1,"\u0061":2}"#, "the name \"a\" twice in one object", 1, 8),
        ("[1,]", "']' where a value should be", 1, 4),
        ("[1 2]", "'2' where ',' or ']' should be", 1, 4),
        ("1 1", "something after the end of the value", 1, 3),
        ("01", "a number with a leading zero", 1, 1),
        ("-", "the end of the body where a digit should be", 1, 2),
        ("1.", "the end of the body where a digit should be", 1, 3),
        (".5", "'.' where a value should be", 1, 1),
        ("+1", "'+' where a value should be", 1, 1),
        ("1e", "the end of the body where a digit should be", 1, 3),
        ("1e999", "a number too large for 64 bits", 1, 1),
        ("NaN", "'N' where a value should be", 1, 1),
        ("Infinity", "'I' where a value should be", 1, 1),
        ("nul", "'n' where a value (true, false, null, a number, a string, [ or {) should be", 1, 1),
        ("'a'", "''' where a value should be", 1, 1),
        ("\"a", "a string that does not end", 1, 1),
        ("\"a\nb\"", "a control character that is not escaped in a string", 1, 3),
        (#""\x""#, "an unknown escape in a string", 1, 2),
        (#""\u12g4""#, "'g' where a hexadecimal digit should be", 1, 6),
        (#""\ud83e""#, "half of a surrogate pair in a string", 1, 2),
        (#""\udd9c""#, "half of a surrogate pair in a string", 1, 2),
        (#""\ud83e\u0041""#, "half of a surrogate pair in a string", 1, 2),
        ("\u{FEFF}{}", "a byte order mark, which JSON does not allow", 1, 1),
        ("\u{A0}1", "the byte 0xC2 where a value should be", 1, 1),
    ])
    func refuses(text: String, problem: String, line: Int, column: Int) {
        let error = #expect(throws: JSONError.self) { try JSONParser.parse(Array(text.utf8)) }
        #expect(error?.problem == problem)
        #expect(error?.line == line)
        #expect(error?.column == column)
    }

    @Test(
        arguments: [[0x80], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]]
    )
    func refusesStringsThatAreNotUTF8(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        let error = #expect(throws: JSONError.self) { try JSONParser.parse([quote] + bytes + [quote]) }
        #expect(error?.problem == "a string that is not valid UTF-8")
    }

    @Test func boundsDepth() throws {
        let deepest = JSONParser.maximumDepth
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONParser.parse(nested(deepest))
        for depth in [deepest + 1, 100_000] {
            let error = #expect(throws: JSONError.self) { try JSONParser.parse(nested(depth)) }
            #expect(error?.problem == "more than 64 levels of nesting")
        }
        let objects = Array(String(repeating: #"{"a":"#, count: 100_000).utf8)
        #expect(throws: JSONError.self) { try JSONParser.parse(objects) }
    }

    /// Any mutation of a valid document is read or refused, and whatever is read is valid for Foundation too.
    @Test func survivesMutations() {
        var random = SeededGenerator(seed: 1)
        let seed = Array(#"{"prompt":["a\u00e9","🦜"],"n":-1.5e2,"x":{"y":[true,false,null]},"stop":"\n"}"#.utf8)
        let alphabet = Array(#"{}[]":,\u0123456789eE+-.tfnabd"#.utf8) + [0x00, 0x0A, 0x80, 0xC3, 0xE2, 0xF0, 0xFF]
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.remove(at: index)
                case 1: bytes[index] = alphabet.randomElement(using: &random)!
                default: bytes.insert(alphabet.randomElement(using: &random)!, at: index)
                }
            }
            guard (try? JSONParser.parse(bytes)) != nil else { continue }
            accepted += 1
            let foundation = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(foundation != nil, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(accepted > 500, "the mutations should leave some documents valid")
    }
}
