// Tokens that are found in the text as they stand, before it is split into words: "<|endoftext|>".

/// An added token of a tokenizer.json.
struct AddedToken: Sendable {
    var id: Int32
    var content: String
    /// Takes the white space before it into itself.
    var stripsLeft: Bool
    /// Takes the white space after it into itself.
    var stripsRight: Bool
    /// Matches only where no word character touches it.
    var isSingleWord: Bool
    /// Looked for in the normalized text, after the others; the same text here, but the others go first.
    var isNormalized: Bool
    /// Left out of decoded text on request, and read as plain text where the caller forbids special tokens.
    var isSpecial: Bool
}

/// Finds added tokens in text: leftmost, of several at one place the longest; first those that are not normalized, then
/// the others in what is left between. The same as `AddedVocabulary` of the `tokenizers` package.
struct AddedTokens: Sendable {
    enum Segment {
        /// Plain text: a range of the buffer.
        case text(Range<Int>)
        case token(Int32)
    }

    private let passes: [Pass]

    init(_ tokens: [AddedToken]) {
        passes = [tokens.filter { !$0.isNormalized }, tokens.filter(\.isNormalized)].filter { !$0.isEmpty }.map(
            Pass.init
        )
    }

    /// Cuts `text` into tokens and what lies between them.
    func segments(of text: UnsafeBufferPointer<UInt8>, parseSpecial: Bool) -> [Segment] {
        var segments: [Segment] = text.isEmpty ? [] : [.text(text.indices)]
        for pass in passes {
            var finer: [Segment] = []
            for segment in segments {
                switch segment {
                case .token: finer.append(segment)
                case .text(let range): pass.cut(text, range, parseSpecial: parseSpecial, into: &finer)
                }
            }
            segments = finer
        }
        return segments
    }
}

/// One pass of matching over a text, with a trie of the tokens' bytes.
private struct Pass: Sendable {
    private let tokens: [AddedToken]
    /// Node 0 is the root. Most bytes of a text begin no token: an array answers that.
    private var rootEdges = [Int32](repeating: 0, count: 256)
    private var edges: [UInt64: Int32] = [:]
    /// The token that ends at each node; -1 if none does.
    private var tokenOfNode: [Int32] = [-1]

    init(_ tokens: [AddedToken]) {
        self.tokens = tokens
        for (position, token) in tokens.enumerated() {
            var node: Int32 = 0
            for byte in token.content.utf8 {
                if let next = edge(from: node, byte) {
                    node = next
                    continue
                }
                let next = Int32(tokenOfNode.count)
                tokenOfNode.append(-1)
                if node == 0 { rootEdges[Int(byte)] = next } else { edges[Self.key(node, byte)] = next }
                node = next
            }
            tokenOfNode[Int(node)] = Int32(position)
        }
    }

    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
        UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
    }

    private func edge(from node: Int32, _ byte: UInt8) -> Int32? {
        if node == 0 { return rootEdges[Int(byte)] == 0 ? nil : rootEdges[Int(byte)] }
        return edges[Self.key(node, byte)]
    }

    /// The longest token that starts at `start`, and where it ends.
    private func longestMatch(in text: UnsafeBufferPointer<UInt8>, at start: Int, end: Int) -> (AddedToken, Int)? {
        var node: Int32 = 0
        var found: (Int32, Int)?
        for place in start..<end {
            guard let next = edge(from: node, text[place]) else { break }
            node = next
            if tokenOfNode[Int(node)] >= 0 { found = (tokenOfNode[Int(node)], place + 1) }
        }
        return found.map { (tokens[Int($0.0)], $0.1) }
    }

    func cut(
        _ text: UnsafeBufferPointer<UInt8>,
        _ range: Range<Int>,
        parseSpecial: Bool,
        into segments: inout [AddedTokens.Segment]
    ) {
        var done = range.lowerBound
        var place = range.lowerBound
        /// Where the white space after an earlier match ends.
        var whitespaceEnd = range.lowerBound
        while place < range.upperBound {
            guard let (token, matchEnd) = longestMatch(in: text, at: place, end: range.upperBound) else {
                place += 1
                continue
            }
            // A match that is not taken is passed over as a whole, as in the `tokenizers` package.
            let matchStart = place
            place = matchEnd
            if token.isSpecial && !parseSpecial { continue }
            if token.isSingleWord
                && (TextScan.isWord(before: matchStart, in: text, from: range.lowerBound)
                    || TextScan.isWord(after: matchEnd, in: text, to: range.upperBound))
            {
                continue
            }
            var (start, end) = (matchStart, matchEnd)
            // White space is scanned once, however many matches it holds: up to what is done already to the left, and up to
            // the end found before to the right.
            if token.stripsLeft && start > done {
                start = TextScan.whitespaceStart(before: start, in: text, from: done)
            }
            if token.stripsRight {
                if end >= whitespaceEnd {
                    whitespaceEnd = TextScan.whitespaceEnd(after: end, in: text, to: range.upperBound)
                }
                end = whitespaceEnd
            }
            if done < start { segments.append(.text(done..<start)) }
            segments.append(.token(token.id))
            done = end
        }
        if done < range.upperBound { segments.append(.text(done..<range.upperBound)) }
    }
}
