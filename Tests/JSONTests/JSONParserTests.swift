import Foundation
import JSON
import TestSupport
import Testing

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
        ("{}", .object()),
        (#"{ "a" : 1 , "b" : { "a" : null } }"#, .object(("a", .integer(1)), ("b", .object(("a", .null))))),
        (#""\u0041\n\/\\\"""#, .string("A\n/\\\"")),
        (#""\uFFFF\ud83d\ude00""#, .string("\u{FFFF}😀")),
        ("\"\u{10FFFF}é\\u0000\"", .string("\u{10FFFF}é\0")),
    ])
    func reads(text: String, expected: JSONValue) throws {
        #expect(try JSONParser.parse(Array(text.utf8), of: "the body") == expected)
    }

    @Test(arguments: [
        ("", "the end of the body where a value should be", 1, 1),
        ("  ", "the end of the body where a value should be", 1, 3),
        ("{", "the end of the body where a name in quotes should be", 1, 2),
        ("{\n  \"a\": 1,\n  }", "'}' where a name in quotes should be", 3, 3),
        (#"{"a" 1}"#, "'1' where ':' should be", 1, 6),
        (#"{"a":1 "b":2}"#, "'\"' where ',' or '}' should be", 1, 8),
        (#"{"a":1,"a":2}"#, "the name \"a\" occurs twice in one object", 1, 8),
        (#"{"a":1,"\u0061":2}"#, "the name \"a\" occurs twice in one object", 1, 8),
        ("[1,]", "']' where a value should be", 1, 4),
        ("[1 2]", "'2' where ',' or ']' should be", 1, 4),
        ("1 1", "something after the end of the value", 1, 3),
        ("01", "a number with a leading zero", 1, 1),
        ("-", "the end of the body where a digit should be", 1, 2),
        ("1.", "the end of the body where a digit should be", 1, 3),
        (".5", "'.' where a value should be", 1, 1),
        ("+1", "'+' where a value should be", 1, 1),
        ("1e", "the end of the body where a digit should be", 1, 3),
        ("1e+", "the end of the body where a digit should be", 1, 4),
        ("1e400", "a number too large for 64 bits", 1, 1),
        ("1e999", "a number too large for 64 bits", 1, 1),
        ("NaN", "'N' where a value should be", 1, 1),
        ("Infinity", "'I' where a value should be", 1, 1),
        ("nul", "'n' where a value (true, false, null, a number, a string, [ or {) should be", 1, 1),
        ("[", "the end of the body where a value should be", 1, 2),
        ("[1", "the end of the body where ',' or ']' should be", 1, 3),
        ("[1,", "the end of the body where a value should be", 1, 4),
        ("[,1]", "',' where a value should be", 1, 2),
        ("[1}", "'}' where ',' or ']' should be", 1, 3),
        (#"{"a"}"#, "'}' where ':' should be", 1, 5),
        (#"{"a":}"#, "'}' where a value should be", 1, 6),
        (#"{"a":1"#, "the end of the body where ',' or '}' should be", 1, 7),
        ("{a:1}", "'a' where a name in quotes should be", 1, 2),
        ("{1:1}", "'1' where a name in quotes should be", 1, 2),
        ("0x1", "something after the end of the value", 1, 2),
        ("nulll", "something after the end of the value", 1, 5),
        ("// 1", "'/' where a value should be", 1, 1),
        ("tru", "'t' where a value (true, false, null, a number, a string, [ or {) should be", 1, 1),
        ("'a'", "''' where a value should be", 1, 1),
        ("\"a", "a string that does not end", 1, 1),
        ("\"", "a string that does not end", 1, 1),
        ("\"\\n", "a string that does not end", 1, 1),
        ("\"\\", "the end of the body where an escape should be", 1, 3),
        ("\"\\n\n\"", "a control character that is not escaped in a string", 1, 4),
        ("\"a\nb\"", "a control character that is not escaped in a string", 1, 3),
        (#""\x""#, "an unknown escape in a string", 1, 2),
        (#""\u12g4""#, "'g' where a hexadecimal digit should be", 1, 6),
        (#""\u12""#, "'\"' where a hexadecimal digit should be", 1, 6),
        (#""\ud800\ud800""#, "half of a surrogate pair in a string", 1, 2),
        (#""\ud83e""#, "half of a surrogate pair in a string", 1, 2),
        (#""\udd9c""#, "half of a surrogate pair in a string", 1, 2),
        (#""\ud83e\u0041""#, "half of a surrogate pair in a string", 1, 2),
        ("\u{FEFF}{}", "a byte order mark, which JSON does not allow", 1, 1),
        ("\u{A0}1", "the byte 0xC2 where a value should be", 1, 1),
    ])
    func refuses(text: String, problem: String, line: Int, column: Int) {
        let error = #expect(throws: JSONError.self) { try JSONParser.parse(Array(text.utf8), of: "the body") }
        #expect(error?.problem == problem)
        #expect(error?.line == line)
        #expect(error?.column == column)
    }

    /// Lines end at line feeds; the offset counts them too.
    @Test func errorsHaveAnOffset() {
        let error = #expect(throws: JSONError.self) {
            try JSONParser.parse(Array("[\n\"é\",\n x]".utf8), of: "the text")
        }
        #expect(error?.offset == 9 && error?.line == 3 && error?.column == 2)
        let end = #expect(throws: JSONError.self) { try JSONParser.parse(Array("[".utf8), of: "the header") }
        #expect(end?.problem == "the end of the header where a value should be" && end?.offset == 1)
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0xC3],
            [0xFF],
        ] as [[UInt8]]
    )
    func refusesStringsThatAreNotUTF8(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        let escape = Array(#"\n"#.utf8)
        for text in [[quote] + bytes + [quote], [quote] + escape + bytes + [quote], [quote] + bytes + escape + [quote]]
        {
            let error = #expect(throws: JSONError.self) { try JSONParser.parse(text, of: "the body") }
            #expect(error?.problem == "a string that is not valid UTF-8")
            #expect(error?.offset == 1)
        }
    }

    @Test func boundsDepth() throws {
        let deepest = JSONParser.maximumDepth
        #expect(deepest == 64)
        func nested(_ depth: Int, _ inner: String = "") -> [UInt8] {
            Array((String(repeating: "[", count: depth) + inner + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONParser.parse(nested(deepest), of: "the body")
        _ = try JSONParser.parse(nested(deepest - 1, "1"), of: "the body")
        for text in [nested(deepest, "1"), nested(deepest + 1), nested(100_000), nested(1_000_000)] {
            let error = #expect(throws: JSONError.self) { try JSONParser.parse(text, of: "the body") }
            #expect(error?.problem == "values nested more than 64 deep")
            #expect(error?.offset == 64)
        }
        let objects = Array(String(repeating: #"{"a":"#, count: 100_000).utf8)
        #expect(throws: JSONError.self) { try JSONParser.parse(objects, of: "the body") }
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
            guard (try? JSONParser.parse(bytes, of: "the body")) != nil else { continue }
            accepted += 1
            let foundation = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(foundation != nil, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(accepted > 500, "the mutations should leave some documents valid")
    }
}
