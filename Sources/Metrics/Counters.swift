/// A counter for each of a closed set of words.
struct Counters<Word: Hashable & Sendable>: Sendable {
    private let counters: [Word: Counter]

    init(_ words: [Word]) {
        counters = Dictionary(uniqueKeysWithValues: words.map { ($0, Counter()) })
    }

    /// - Precondition: `word` is of the set.
    subscript(word: Word) -> Counter {
        guard let counter = counters[word] else { preconditionFailure("no counter for \(word)") }
        return counter
    }
}
