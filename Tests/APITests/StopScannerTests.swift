import TestSupport
import Testing

@testable import API

@Suite struct StopScannerTests {
    /// The first match by definition: of all stop strings that end the shortest matching prefix, the longest.
    private func naive(_ text: [UInt8], _ stops: [[UInt8]]) -> (end: Int, length: Int)? {
        for end in 1..<(text.count + 1) {
            let lengths = stops.filter { text[..<end].reversed().starts(with: $0.reversed()) }.map(\.count)
            if let length = lengths.max() { return (end, length) }
        }
        return nil
    }

    /// The longest end of the text that is a beginning of a stop string, whole ones not counted.
    private func naiveHeld(_ text: ArraySlice<UInt8>, _ stops: [[UInt8]]) -> Int {
        (0...text.count).last { count in stops.contains { $0.count > count && $0.starts(with: text.suffix(count)) } }!
    }

    @Test func equalsItsDefinition() {
        var random = SeededGenerator(seed: 6)
        var matches = 0
        for _ in 0..<20_000 {
            // Two letters and short stop strings: overlaps, borders and ties all the time.
            func word(_ lengths: ClosedRange<Int>) -> [UInt8] {
                (0..<Int.random(in: lengths, using: &random)).map { _ in UInt8.random(in: 97...98, using: &random) }
            }
            let stops = (0..<Int.random(in: 1...3, using: &random)).map { _ in word(2...5) }
            let text = word(0...12)
            let expected = text.isEmpty ? nil : naive(text, stops)
            var scanner = StopScanner(stops.map { String(decoding: $0, as: UTF8.self) })
            var found: (end: Int, length: Int)?
            for (index, byte) in text.enumerated() {
                if let length = scanner.advance(byte) {
                    found = (index + 1, length)
                    break
                }
                #expect(scanner.heldBytes == naiveHeld(text[...index], stops), "\(stops) in \(text)")
            }
            #expect(found?.end == expected?.end && found?.length == expected?.length, "\(stops) in \(text)")
            matches += found == nil ? 0 : 1
        }
        #expect(matches > 5000)
    }

    @Test func holdsNothingWithoutStops() {
        var scanner = StopScanner([])
        #expect(scanner.advance(97) == nil)
        #expect(scanner.heldBytes == 0)
    }
}
