// Which token a share of the mass falls on, without putting the tokens in order.

extension CandidateSet {
    /// The first candidate, in descending order, for which `reaches` holds: it gets the mass of all candidates up to that one.
    /// Nil where it holds for none. `reaches` holds from some mass on.
    ///
    /// - Precondition: the set is not ordered yet.
    mutating func first(where reaches: (_ mass: Double) -> Bool) -> Candidate? {
        var above = 0.0
        for band in Self.bands {
            let mass = mass(of: band)
            if mass > 0 && reaches(above + mass) {
                let count = gather(band)
                return gathered.withUnsafeMutableBufferPointer { gathered in
                    Self.first(
                        in: UnsafeMutableBufferPointer(rebasing: gathered[..<count]),
                        above: above,
                        where: reaches
                    )
                }
            }
            above += mass
        }
        return nil
    }

    /// Quickselect: splits the band in two and goes on with the part that the answer is in.
    private static func first(
        in band: UnsafeMutableBufferPointer<Candidate>,
        above: Double,
        where reaches: (_ mass: Double) -> Bool
    ) -> Candidate {
        var (start, end, above) = (0, band.count, above)
        while end - start > 16 {
            let pivot = median(band[start], band[(start + end) / 2], band[end - 1])
            // Those up to the pivot come first. Every element is swapped, whether it has to or not: which it is cannot be
            // foreseen, and a wrong guess costs more.
            var front = start, mass = 0.0
            for index in start..<end {
                let candidate = band[index]
                let isInFront = !pivot.precedes(candidate)
                band[index] = band[front]
                band[front] = candidate
                front += isInFront ? 1 : 0
                mass += isInFront ? Double(candidate.weight) : 0
            }
            if reaches(above + mass) {
                end = front
            } else {
                above += mass
                start = front
            }
        }
        let rest = band[start..<end].sorted { $0.precedes($1) }
        for candidate in rest {
            above += Double(candidate.weight)
            if reaches(above) { return candidate }
        }
        return rest[rest.count - 1]
    }

    private static func median(_ a: Candidate, _ b: Candidate, _ c: Candidate) -> Candidate {
        let (first, second) = a.precedes(b) ? (a, b) : (b, a)
        if c.precedes(first) { return first }
        return c.precedes(second) ? c : second
    }
}
