// The roots of the prefix index: one for each tenant whose blocks it knows.

/// Numbers below 0 for salts, so that a root and a block are told apart by sign. A root exists as long as a block hangs
/// on it, so there are never more roots than blocks.
///
/// Salts are compared byte by byte: two strings that Swift calls equal may be two tenants.
struct SaltRoots: Sendable {
    private struct Root {
        var salt: [UInt8]?
        /// Indexed blocks without a block before them.
        var blocks = 0
    }

    private var numbers: [[UInt8]?: Int32] = [:]
    /// Root number `-1 - i` is at place `i`.
    private var roots: [Root] = []
    /// Places that no salt uses.
    private var free: [Int] = []

    var count: Int { numbers.count }

    /// The root of a salt, nil when no block hangs on it.
    func number(of salt: String?) -> Int32? { numbers[salt.map { Array($0.utf8) }] }

    /// The root of a salt, with one more block on it.
    mutating func attach(to salt: String?) -> Int32 {
        let key = salt.map { Array($0.utf8) }
        let place: Int
        if let number = numbers[key] {
            place = Self.place(of: number)
        } else if let unused = free.popLast() {
            place = unused
            roots[place] = Root(salt: key)
        } else {
            place = roots.count
            roots.append(Root(salt: key))
        }
        roots[place].blocks += 1
        let number = Int32(-1 - place)
        numbers[key] = number
        return number
    }

    /// Takes a block from a root. The salt is forgotten with its last block.
    mutating func detach(from number: Int32) {
        let place = Self.place(of: number)
        roots[place].blocks -= 1
        guard roots[place].blocks == 0 else { return }
        numbers[roots[place].salt] = nil
        roots[place].salt = nil
        free.append(place)
    }

    private static func place(of number: Int32) -> Int { -1 - Int(number) }
}
