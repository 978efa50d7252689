/// A client by number. Every step looks at every request, and a plain number is copied and compared faster than a name.
///
/// It is a hash with a key that only this process has, 64 bits wide: nobody can choose a name whose number is another's.
struct ClientID: Sendable, Hashable {
    private let number: Int

    init(_ name: String) {
        number = name.hashValue
    }
}
