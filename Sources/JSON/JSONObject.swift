/// The members of a JSON object in the order of the text; every name occurs once.
///
/// Names are equal when their bytes are. Swift's `String` equality would also join canonically equivalent spellings,
/// which are different tokens in a vocabulary and different tensors in a file.
///
/// Cost: finding a member takes constant time. Up to ``scanLimit`` members are compared one by one, which is faster than
/// a hash table and takes no memory; requests and the entries of a model file have no more.
package struct JSONObject: Sendable {
    static let scanLimit = 8

    /// In the order of the text.
    package private(set) var members: [(key: String, value: JSONValue)] = []
    /// Positions of all members, once there are more than ``scanLimit``.
    private var index: [ExactKey: Int] = [:]

    /// An object without members.
    package init() {}

    package var count: Int { members.count }
    package var isEmpty: Bool { members.isEmpty }

    /// The value of `key`, nil if there is none.
    package subscript(key: String) -> JSONValue? {
        position(of: ExactKey(text: key)).map { members[$0].value }
    }

    private func position(of key: ExactKey) -> Int? {
        members.count > Self.scanLimit ? index[key] : members.firstIndex { ExactKey(text: $0.key) == key }
    }

    /// Adds a member. Returns false, adding nothing, if the key is there already.
    package mutating func add(_ key: String, _ value: JSONValue) -> Bool {
        let exactKey = ExactKey(text: key)
        if members.count < Self.scanLimit {
            guard position(of: exactKey) == nil else { return false }
        } else {
            if index.isEmpty {
                for (position, member) in members.enumerated() { index[ExactKey(text: member.key)] = position }
            }
            if let present = index.updateValue(members.count, forKey: exactKey) {
                index[exactKey] = present
                return false
            }
        }
        members.append((key, value))
        return true
    }
}
