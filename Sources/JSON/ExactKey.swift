import Glibc

/// A string compared and hashed by its UTF-8 bytes.
package struct ExactKey: Hashable, Sendable {
    package let text: String

    package init(text: String) { self.text = text }

    package static func == (left: Self, right: Self) -> Bool {
        var (left, right) = (left.text, right.text)
        guard left.utf8.count == right.utf8.count, !left.isEmpty else { return left.isEmpty && right.isEmpty }
        return left.withUTF8 { left in
            right.withUTF8 { right in memcmp(left.baseAddress!, right.baseAddress!, left.count) == 0 }
        }
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
