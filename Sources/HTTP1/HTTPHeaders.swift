/// Header fields in the order in which they came, with lookup by name whatever its case (RFC 9110, 5).
///
/// Implementation: all names and values lie in one byte array, and a field is four offsets into it, so a parsed head
/// costs two allocations whatever its number of fields; strings are made when asked for. Lookup is a walk: heads are
/// small and bounded.
///
/// Trap: values are bytes. A value that is not UTF-8 (obs-text) reads as a String with U+FFFD in it.
public struct HTTPHeaders: Sendable {
    struct Field: Sendable {
        var name: Range<Int32>
        var value: Range<Int32>
    }

    var bytes: [UInt8] = []
    var fields: [Field] = []

    public init() {}

    /// For the parser: fields that already lie in `bytes`.
    init(bytes: [UInt8], fields: [Field]) {
        self.bytes = bytes
        self.fields = fields
    }

    public var count: Int { fields.count }
    public var isEmpty: Bool { fields.isEmpty }

    /// Adds a field after the others, also when there is one of this name already. What a name or a value may hold is
    /// judged when the head is written (`ResponseError.invalidField`).
    public mutating func append(_ name: String, _ value: String) {
        let nameStart = Int32(bytes.count)
        bytes.append(contentsOf: name.utf8)
        let valueStart = Int32(bytes.count)
        bytes.append(contentsOf: value.utf8)
        fields.append(Field(name: nameStart..<valueStart, value: valueStart..<Int32(bytes.count)))
    }

    /// Puts the field in place of all those of its name.
    public mutating func set(_ name: String, _ value: String) {
        removeAll(name)
        append(name, value)
    }

    public mutating func removeAll(_ name: String) {
        fields = fields.filter { !matches($0, name) }
    }

    /// The value of the first field of that name.
    public subscript(name: String) -> String? {
        for field in fields where matches(field, name) { return string(field.value) }
        return nil
    }

    /// The values of all fields of that name, in order; a comma-separated value is not taken apart.
    public func values(_ name: String) -> [String] {
        fields.filter { matches($0, name) }.map { string($0.value) }
    }

    public func contains(_ name: String) -> Bool {
        fields.contains { matches($0, name) }
    }

    func name(_ field: Field) -> ArraySlice<UInt8> {
        bytes[Int(field.name.lowerBound)..<Int(field.name.upperBound)]
    }

    func value(_ field: Field) -> ArraySlice<UInt8> {
        bytes[Int(field.value.lowerBound)..<Int(field.value.upperBound)]
    }

    private func matches(_ field: Field, _ name: String) -> Bool {
        let utf8 = name.utf8
        guard field.name.count == utf8.count else { return false }
        return zip(self.name(field), utf8).allSatisfy { $0.lowercased == $1.lowercased }
    }

    private func string(_ range: Range<Int32>) -> String {
        String(decoding: bytes[Int(range.lowerBound)..<Int(range.upperBound)], as: UTF8.self)
    }
}

extension HTTPHeaders: Sequence {
    public func makeIterator() -> some IteratorProtocol<(name: String, value: String)> {
        fields.lazy.map { (name: string($0.name), value: string($0.value)) }.makeIterator()
    }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }
}

extension HTTPHeaders: Equatable {
    /// The same names and values in the same order, byte for byte.
    public static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
        left.fields.count == right.fields.count
            && zip(left.fields, right.fields).allSatisfy {
                left.name($0) == right.name($1) && left.value($0) == right.value($1)
            }
    }
}
