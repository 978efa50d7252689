import Core

/// How values of one type are written.
struct ValueForm<Value: Sendable>: Sendable {
    /// What a value must be, for errors.
    let expected: String
    let read: @Sendable (RawValue) -> Value?
    let show: @Sendable (Value) -> String
}

extension ValueForm where Value == Int {
    /// - Parameter factor: what the number must be a multiple of.
    static func integer(_ range: ClosedRange<Int>, multipleOf factor: Int = 1) -> Self {
        let kind = factor == 1 ? "an integer" : "a multiple of \(factor)"
        let bounds =
            range.upperBound == .max
            ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        return Self(
            expected: "\(kind) \(bounds)",
            read: { raw in
                guard let number = raw.word.flatMap({ Int($0) }), range.contains(number) else { return nil }
                return number.isMultiple(of: factor) ? number : nil
            },
            show: { "\($0)" }
        )
    }

    /// A size in bytes.
    static func bytes(atLeast minimum: Int) -> Self {
        Self(
            expected: "a size of at least \(Quantity.bytes.show(minimum)), such as 4096, 64KiB, 256MiB or 2GiB",
            read: { raw in raw.word.flatMap { Quantity.bytes.read($0) }.flatMap { $0 >= minimum ? $0 : nil } },
            show: { Quantity.bytes.show($0) }
        )
    }
}

extension ValueForm where Value == Double {
    static func number(_ range: ClosedRange<Double>) -> Self {
        Self(
            expected: "a number from \(range.lowerBound) to \(range.upperBound)",
            read: { raw in raw.word.flatMap { Double($0) }.flatMap { range.contains($0) ? $0 : nil } },
            show: { "\($0)" }
        )
    }
}

extension ValueForm where Value == Bool {
    static var bool: Self {
        Self(
            expected: "true or false",
            read: { raw in
                switch raw.word {
                case "true": true
                case "false": false
                default: nil
                }
            },
            show: { "\($0)" }
        )
    }
}

extension ValueForm where Value == String {
    /// Text that is not empty. Plain YAML that spells a number, a truth value or null is most likely a mistake.
    static func text(_ what: String) -> Self {
        Self(
            expected: what,
            read: { raw in
                switch raw {
                case .quoted(let text), .text(let text): return text.isEmpty ? nil : text
                case .plain(let text):
                    let isMistake =
                        text.isEmpty || Double(text) != nil || ["true", "false"].contains(text.lowercased())
                    return isMistake ? nil : text
                default: return nil
                }
            },
            show: { YAMLText.quoted($0) }
        )
    }
}

extension ValueForm where Value == String {
    /// Text that is never shown. Plain YAML may spell a number here.
    static var secret: Self {
        Self(
            expected: "a text",
            read: { raw in
                switch raw {
                case .plain(let text), .quoted(let text), .text(let text): text.isEmpty ? nil : text
                default: nil
                }
            },
            show: { _ in YAMLText.quoted("(not shown)") }
        )
    }
}

extension ValueForm where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        let (least, most) = (Quantity.show(range.lowerBound), Quantity.show(range.upperBound))
        return Self(
            expected: "a time from \(least) to \(most), such as 500ms, 10s, 30m or 2h",
            read: { raw in
                guard let milliseconds = raw.word.flatMap({ Quantity.time.read($0) }) else { return nil }
                let duration = Duration.milliseconds(milliseconds)
                return range.contains(duration) ? duration : nil
            },
            show: { Quantity.show($0) }
        )
    }
}

extension ValueForm where Value == MemorySize {
    static var memory: Self {
        Self(
            expected: "a size such as 256MiB or 2GiB, at least 1MiB, or a share of memory such as 10%",
            read: { raw in
                guard let word = raw.word else { return nil }
                if word.hasSuffix("%") {
                    guard let percent = Double(word.dropLast()), percent > 0, percent <= 100 else { return nil }
                    return .share(percent: percent)
                }
                guard let bytes = Quantity.bytes.read(word), bytes >= 1 << 20 else { return nil }
                return .bytes(bytes)
            },
            show: { size in
                switch size {
                case .bytes(let bytes): Quantity.bytes.show(bytes)
                case .share(let percent):
                    (percent == percent.rounded() ? "\(Int(percent))" : "\(percent)") + "%"
                }
            }
        )
    }
}

extension ValueForm where Value == ChainSelection {
    static var chains: Self {
        Self(
            expected: "a number of chains such as 3, a range such as 1-3, or auto",
            read: { raw in
                guard let word = raw.word else { return nil }
                if word == "auto" { return .auto }
                let parts = word.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
                switch (parts.count, parts.first ?? nil, parts.last ?? nil) {
                case (1, let chains?, _) where chains > 0: return .fixed(chains)
                case (2, let least?, let most?) where least > 0 && least <= most: return .range(least...most)
                default: return nil
                }
            },
            show: { selection in
                switch selection {
                case .auto: "auto"
                case .fixed(let chains): "\(chains)"
                case .range(let range): "\(range.lowerBound)-\(range.upperBound)"
                }
            }
        )
    }
}

extension ValueForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of an enumeration's words.
    static var word: Self {
        let words = Value.allCases.map(\.rawValue)
        return Self(
            expected: words.dropLast().joined(separator: ", ") + " or " + (words.last ?? ""),
            read: { raw in raw.word.flatMap { Value(rawValue: $0) } },
            show: { $0.rawValue }
        )
    }
}

extension ValueForm where Value == [String] {
    /// A list, `[a, b]`. One value stands for a list of itself; in the environment and on the command line a comma is
    /// between two.
    ///
    /// - Parameters:
    ///   - what: the elements, in the plural and with an example.
    ///   - isElement: whether a text can be one.
    static func list(_ what: String, where isElement: @escaping @Sendable (String) -> Bool) -> Self {
        Self(
            expected: "a list of \(what)",
            read: { raw in
                let texts: [String?] =
                    switch raw {
                    case .null: []
                    case .list(let values): values.map(\.scalar)
                    case .text(let text): text.split(separator: ",").map(String.init)
                    case .plain, .quoted: [raw.scalar]
                    case .mapping: [nil]
                    }
                let elements = texts.compactMap { $0 }.filter(isElement)
                return elements.count == texts.count ? elements : nil
            },
            show: { "[" + $0.map { YAMLText.quoted($0) }.joined(separator: ", ") + "]" }
        )
    }
}

extension RawValue {
    /// The text of a scalar.
    fileprivate var scalar: String? {
        switch self {
        case .plain(let text), .quoted(let text), .text(let text): text
        case .null, .list, .mapping: nil
        }
    }
}

extension ValueForm {
    /// A value or the word `none` (null in YAML) for its absence.
    static func optional<Wrapped>(_ form: ValueForm<Wrapped>, none: String) -> Self where Value == Wrapped? {
        Self(
            expected: "\(form.expected), or \(none)",
            read: { raw in
                if raw == .null || raw.word == none { return .some(nil) }
                return form.read(raw).map { .some($0) }
            },
            show: { value in value.map { form.show($0) } ?? none }
        )
    }
}
