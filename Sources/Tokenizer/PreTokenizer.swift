// Cutting text into words, within which bytes are merged and across which they are not.

/// The pre-tokenizer of a byte-level tokenizer.json: maybe a space put before the text, then splits one after another.
struct PreTokenizer: Sendable {
    /// What becomes of the matches of a pattern, as in the `tokenizers` package.
    enum Behavior: String, CaseIterable {
        /// A match is dropped; what is between matches is a piece.
        case removed = "Removed"
        /// A match is a piece of its own.
        case isolated = "Isolated"
        /// A match ends the piece before it.
        case mergedWithPrevious = "MergedWithPrevious"
        /// A match begins the piece after it.
        case mergedWithNext = "MergedWithNext"
        /// Matches that touch are one piece.
        case contiguous = "Contiguous"
    }

    struct Split: Sendable {
        var pattern: SplitPattern
        var behavior: Behavior
        /// Whether what the pattern does not match counts as the matches.
        var inverted: Bool
    }

    /// GPT-2's pattern, built into the `ByteLevel` pre-tokenizer.
    static let gpt2Pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Whether a space goes before a text that does not begin with one.
    var addsPrefixSpace: Bool
    var splits: [Split]

    /// The words of `text`, as ranges in order. None is empty.
    func words(
        of text: UnsafeBufferPointer<UInt8>,
        with matcher: borrowing PatternMatcher
    ) throws(TokenizerError) -> [Range<Int>] {
        var pieces = text.isEmpty ? [] : [text.indices]
        for split in splits {
            var finer: [Range<Int>] = []
            finer.reserveCapacity(pieces.count + text.count / 4)
            for piece in pieces { try split.cut(text, piece, with: matcher, into: &finer) }
            pieces = finer
        }
        return pieces
    }
}

extension PreTokenizer.Split {
    /// Cuts `range` of `text`, appending the pieces that are not empty. The pattern sees nothing outside the range.
    fileprivate func cut(
        _ text: UnsafeBufferPointer<UInt8>,
        _ range: Range<Int>,
        with matcher: borrowing PatternMatcher,
        into pieces: inout [Range<Int>]
    ) throws(TokenizerError) {
        let piece = UnsafeBufferPointer(rebasing: text[range])
        var cutter = PieceCutter(behavior: behavior)
        /// End of the last match.
        var done = 0
        /// Where the next search starts; past `done` after an empty match.
        var start = 0
        var hasMatched = false
        while start <= piece.count, let match = try pattern.firstMatch(in: piece, from: start, with: matcher) {
            if match.isEmpty && hasMatched && match.lowerBound == done {
                // No empty match right after a match: go on behind the next character.
                start = done + 1
                while start < piece.count, piece[start] & 0xC0 == 0x80 { start += 1 }
                continue
            }
            if done != match.lowerBound { cutter.add(done..<match.lowerBound, isMatch: inverted) }
            cutter.add(match, isMatch: !inverted)
            done = match.upperBound
            start = done
            hasMatched = true
        }
        if done != piece.count { cutter.add(done..<piece.count, isMatch: inverted) }
        let offset = range.lowerBound
        for piece in cutter.finish() where !piece.isEmpty {
            pieces.append(piece.lowerBound + offset..<piece.upperBound + offset)
        }
    }
}

/// Joins matches and the text between them into pieces, by the rule of a behavior.
private struct PieceCutter {
    private let behavior: PreTokenizer.Behavior
    private var pieces: [Range<Int>] = []
    private var previousIsMatch = false
    /// For `.mergedWithNext`: a match that waits for what follows it.
    private var waiting: Range<Int>?

    init(behavior: PreTokenizer.Behavior) { self.behavior = behavior }

    mutating func add(_ range: Range<Int>, isMatch: Bool) {
        switch behavior {
        case .removed:
            if !isMatch { pieces.append(range) }
        case .isolated:
            pieces.append(range)
        case .contiguous:
            addOrExtend(range, extends: isMatch == previousIsMatch)
        case .mergedWithPrevious:
            addOrExtend(range, extends: isMatch && !previousIsMatch)
        case .mergedWithNext:
            // Of matches in a row only the last joins what follows.
            if isMatch {
                if let waiting { pieces.append(waiting) }
                waiting = range
            } else {
                pieces.append((waiting ?? range).lowerBound..<range.upperBound)
                waiting = nil
            }
        }
        previousIsMatch = isMatch
    }

    private mutating func addOrExtend(_ range: Range<Int>, extends: Bool) {
        if extends, let last = pieces.popLast() {
            pieces.append(last.lowerBound..<range.upperBound)
        } else {
            pieces.append(range)
        }
    }

    func finish() -> [Range<Int>] { waiting.map { pieces + [$0] } ?? pieces }
}
