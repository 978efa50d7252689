import Foundation

/// A JSON document as Foundation reads it, to be walked by name and index: our own parser tests nothing here.
struct JSON: CustomStringConvertible {
    let value: Any?

    init(_ data: Data) {
        value = try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
    }

    private init(value: Any?) {
        self.value = value
    }

    subscript(name: String) -> JSON { JSON(value: (value as? [String: Any])?[name]) }
    subscript(index: Int) -> JSON {
        let list = value as? [Any]
        return JSON(value: list.flatMap { $0.indices.contains(index) ? $0[index] : nil })
    }

    var string: String? { value as? String }
    var int: Int? { value as? Int }
    var double: Double? { value as? Double }
    var count: Int { (value as? [Any])?.count ?? 0 }
    var list: [JSON] { (value as? [Any] ?? []).map { JSON(value: $0) } }
    var names: Set<String> { Set((value as? [String: Any] ?? [:]).keys) }
    /// Whether null stands there, and not nothing.
    var isNull: Bool { value is NSNull }
    var exists: Bool { value != nil }
    var description: String {
        guard let value else { return "nothing" }
        let options: JSONSerialization.WritingOptions = [.fragmentsAllowed, .sortedKeys]
        let data = try? JSONSerialization.data(withJSONObject: value, options: options)
        return String(decoding: data ?? Data(), as: UTF8.self)
    }
}
