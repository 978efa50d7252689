/// What somebody may have meant by a word that does not exist.
enum Spelling {
    /// The message for an unknown key, with the nearest one if any is near.
    static func unknown(_ path: String, among known: [String]) -> String {
        guard let nearest = nearest(to: path, among: known) else { return "unknown key '\(path)'." }
        return "unknown key '\(path)'; did you mean '\(nearest)'?"
    }

    /// A key of the same last word in another section (the outermost, where there are several), or the one with the
    /// fewest typing errors, if these are few.
    static func nearest(to path: String, among known: [String]) -> String? {
        let leaf = path.split(separator: ".").last
        let sameLeaf = known.map { $0.split(separator: ".") }.filter { $0.last == leaf }
        let outermost = sameLeaf.filter { $0.count == sameLeaf.map(\.count).min() }
        if outermost.count == 1 { return outermost[0].joined(separator: ".") }
        let sections = Set(known.flatMap(ancestors))
        let candidates = known + sections.sorted()
        let distances = candidates.map { (word: $0, distance: distance(path, $0)) }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(1, path.count / 4) ? best.word : nil
    }

    /// `a` and `a.b` of `a.b.c`.
    private static func ancestors(_ path: String) -> [String] {
        let keys = path.split(separator: ".")
        return keys.indices.dropFirst().map { keys[..<$0].joined(separator: ".") }
    }

    /// The least number of letters to insert, remove or replace (Levenshtein 1965); swapped neighbours count once.
    static func distance(_ first: String, _ second: String) -> Int {
        let (first, second) = (Array(first.utf8), Array(second.utf8))
        var beforePrevious: [Int] = []
        var previous = Array(0...second.count)
        for i in first.indices {
            var row = [i + 1]
            for j in second.indices {
                var cost = min(previous[j + 1] + 1, row[j] + 1, previous[j] + (first[i] == second[j] ? 0 : 1))
                if i > 0, j > 0, first[i] == second[j - 1], first[i - 1] == second[j] {
                    cost = min(cost, beforePrevious[j - 1] + 1)
                }
                row.append(cost)
            }
            (beforePrevious, previous) = (previous, row)
        }
        return previous[second.count]
    }
}
