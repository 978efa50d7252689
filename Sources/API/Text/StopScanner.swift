/// Looks for stop strings in a text that comes byte by byte, across any borders of tokens.
///
/// For each stop string a Knuth-Morris-Pratt automaton: its state is the length of the longest beginning of the stop
/// string that the text ends with, which is exactly what has to be held back. Bytes, not characters: `String` equality
/// is canonical equivalence, and a stop string is what the client spelled.
/// The match that is complete first wins; of those complete at the same byte, the longest.
/// Cost: amortised constant per byte and stop string.
struct StopScanner: Sendable {
    private struct Pattern: Sendable {
        var bytes: [UInt8]
        /// `borders[i]`: the longest proper beginning of `bytes[0...i]` that is also its end.
        var borders: [Int]
        var state = 0

        init(_ text: String) {
            bytes = Array(text.utf8)
            borders = Array(repeating: 0, count: bytes.count)
            var border = 0
            for index in bytes.indices.dropFirst() {
                while border > 0 && bytes[index] != bytes[border] { border = borders[border - 1] }
                if bytes[index] == bytes[border] { border += 1 }
                borders[index] = border
            }
        }

        mutating func advance(_ byte: UInt8) {
            while state > 0 && bytes[state] != byte { state = borders[state - 1] }
            if bytes[state] == byte { state += 1 }
        }
    }

    private var patterns: [Pattern]

    /// - Parameter stops: none of them empty.
    init(_ stops: [String]) {
        patterns = stops.map(Pattern.init)
    }

    /// How many of the last bytes could be the beginning of a stop string.
    var heldBytes: Int {
        patterns.reduce(0) { max($0, $1.state) }
    }

    /// Takes the next byte. Returns the length of the stop string that it completes, after which the text has ended.
    mutating func advance(_ byte: UInt8) -> Int? {
        var matched: Int?
        for index in patterns.indices {
            patterns[index].advance(byte)
            let length = patterns[index].bytes.count
            if patterns[index].state == length { matched = max(matched ?? 0, length) }
        }
        return matched
    }
}
