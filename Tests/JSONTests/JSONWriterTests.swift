import Foundation
import JSON
import TestSupport
import Testing

@Suite struct JSONWriterTests {
    @Test(arguments: [
        ("", #""""#),
        ("plain", #""plain""#),
        ("\"\\/", #""\"\\/""#),
        ("\n\r\t\u{8}\u{C}", #""\n\r\t\u0008\u000c""#),
        ("\u{0}\u{1F}\u{7F}", "\"\\u0000\\u001f\u{7F}\""),
        ("é€🦜\u{2028}", "\"é€🦜\u{2028}\""),
    ])
    func escapes(text: String, expected: String) {
        var json = JSONWriter()
        json.string(text)
        #expect(String(decoding: json.bytes, as: UTF8.self) == expected)
        var bytes = JSONWriter()
        bytes.string(utf8: Array(text.utf8))
        #expect(bytes.bytes == json.bytes)
    }

    /// Every string comes back from Foundation's decoder and from our own as it was.
    @Test func stringsComeBack() throws {
        var random = SeededGenerator(seed: 2)
        let scalars: [ClosedRange<UInt32>] = [0...0x7F, 0...0x1F, 0x80...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF]
        for _ in 0..<3000 {
            var text = ""
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                let range = scalars.randomElement(using: &random)!
                text.unicodeScalars.append(UnicodeScalar(UInt32.random(in: range, using: &random))!)
            }
            var json = JSONWriter()
            json.raw("[")
            json.string(text)
            json.raw("]")
            let decoded = try JSONDecoder().decode([String].self, from: Data(json.bytes))
            #expect(Array(decoded[0].utf8) == Array(text.utf8))
            #expect(try JSONParser.parse(json.bytes, of: "the answer") == .array([.string(text)]))
            #expect(!json.bytes.contains(0x0A), "a line feed would end an event")
        }
    }

    @Test func numbersComeBack() throws {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<3000 {
            let float = Float(bitPattern: UInt32.random(in: .min ... .max, using: &random))
            guard abs(float) < 9999 else { continue }
            var json = JSONWriter()
            json.number(float)
            let value = try JSONSerialization.jsonObject(with: Data(json.bytes), options: .fragmentsAllowed)
            #expect((value as? Double).map(Float.init) == float)
        }
    }

    @Test func numbersThatJSONCannotSay() {
        var json = JSONWriter()
        for value in [Float.nan, -.infinity, .infinity, -0.0, 1e-7] {
            json.number(value)
            json.raw(" ")
        }
        json.number(Double.infinity)
        #expect(String(decoding: json.bytes, as: UTF8.self) == "null -9999.0 9999.0 -0.0 1e-07 null")
    }
}
