// From the regular expressions of tokenizer.json to PCRE2's.
//
// The `tokenizers` package matches with Oniguruma and its tables of Unicode 16. PCRE2's syntax looks the same and differs in
// places (`\h` is a hexadecimal digit there and white space here), and Debian 12's tables are those of Unicode 14. A
// pattern that means something else cuts text elsewhere, silently. So this translates what is known to agree, repairs
// what can be repaired, and refuses everything else by name.

struct PatternTranslator {
    private var rest: Substring.UnicodeScalarView
    private var output = ""

    static func translate(_ source: String) throws(PatternError) -> String {
        var translator = PatternTranslator(rest: Substring(source).unicodeScalars)
        while let scalar = translator.rest.popFirst() { try translator.translateOutsideClass(scalar) }
        return translator.output
    }

    private init(rest: Substring.UnicodeScalarView) { self.rest = rest }

    private mutating func translateOutsideClass(_ scalar: Unicode.Scalar) throws(PatternError) {
        switch scalar {
        case "\\": try translateEscape(inClass: false)
        case "[": try translateClass()
        case "(": try translateGroup()
        case "{": try translateCount()
        case "^", "$": throw Self.refused("\(scalar), which matches at lines")
        default: output.unicodeScalars.append(scalar)
        }
    }

    private static func refused(_ what: String) -> PatternError { PatternError(problem: "uses \(what)") }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.unicodeScalars) else { return false }
        rest.removeFirst(text.unicodeScalars.count)
        return true
    }

    private mutating func translateGroup() throws(PatternError) {
        guard rest.first == "?" else {
            output += "("
            return
        }
        for opening in ["?:", "?=", "?!", "?<=", "?<!", "?>"] where take(opening) {
            output += "(" + opening
            return
        }
        guard take("?i:") else { throw Self.refused("a group (\(String(String.UnicodeScalarView(rest.prefix(3))))") }
        // Without regard to case, only letters and choices are sure to mean the same.
        output += "(?i:"
        while let scalar = rest.popFirst() {
            guard scalar.properties.isAlphabetic && scalar.isASCII || "'|[]".unicodeScalars.contains(scalar) else {
                if scalar != ")" { throw Self.refused("\"\(scalar)\" inside (?i:") }
                output += ")"
                return
            }
            output.unicodeScalars.append(scalar)
        }
    }

    /// `{2}`, `{2,}` or `{2,3}`; the rest of what `{` can start differs.
    private mutating func translateCount() throws(PatternError) {
        let body = String(String.UnicodeScalarView(rest.prefix { $0 != "}" }))
        let bounds = body.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        let isNumber = { (text: Substring) in !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        guard take(body + "}"), isNumber(bounds[0]), bounds.count == 1 || bounds[1].isEmpty || isNumber(bounds[1]),
            rest.first != "?", rest.first != "+"
        else { throw Self.refused("{\(body)} as something else than a plain count") }
        output += "{\(body)}"
    }

    private mutating func translateClass() throws(PatternError) {
        output += take("^") ? "[^" : "["
        guard rest.first != "]" else { throw Self.refused("an empty class") }
        while let scalar = rest.popFirst() {
            switch scalar {
            case "]":
                output += "]"
                return
            case "[": throw Self.refused("a class inside a class")
            case "&" where rest.first == "&": throw Self.refused("&& in a class")
            case "\\": try translateEscape(inClass: true)
            default: output.unicodeScalars.append(scalar)
            }
        }
        throw PatternError(problem: "has a class without an end")
    }

    private mutating func translateEscape(inClass: Bool) throws(PatternError) {
        guard let scalar = rest.popFirst() else { throw PatternError(problem: "ends in a backslash") }
        switch scalar {
        case "s": output += "\\p{WSpace}"  // PCRE2's own \s adds U+180E
        case "S": output += "\\P{WSpace}"
        case "d": try translateProperty("Nd", negated: false, inClass: inClass)
        case "D": try translateProperty("Nd", negated: true, inClass: inClass)
        case "p", "P":
            let name = take("{") ? String(String.UnicodeScalarView(rest.prefix { $0 != "}" })) : ""
            guard take(name + "}") else { throw Self.refused("\\\(scalar) without {..}") }
            try translateProperty(name, negated: scalar == "P", inClass: inClass)
        case "r", "n", "t", "f": output += "\\\(scalar)"
        case "u":
            output += "\\x{\(try hexadecimal(4))}"
        case "x":
            guard take("{") else { throw Self.refused("\\x without {..}") }
            let digits = rest.prefix { $0 != "}" }.count
            output += "\\x{\(try hexadecimal(digits))}"
            guard take("}") else { throw Self.refused("\\x{ without }") }
        case "!"..."/", ":"..."@", "["..."`", "{"..."~", " ": output += "\\\(scalar)"
        default: throw Self.refused("\\\(scalar)")
        }
    }

    private mutating func hexadecimal(_ count: Int) throws(PatternError) -> String {
        let digits = String(String.UnicodeScalarView(rest.prefix(count)))
        guard count > 0, digits.utf8.count == count, let value = UInt32(digits, radix: 16), digits.first != "+",
            Unicode.Scalar(value) != nil
        else { throw Self.refused("an escape that is no Unicode scalar") }
        rest.removeFirst(count)
        return digits
    }

    private mutating func translateProperty(_ name: String, negated: Bool, inClass: Bool) throws(PatternError) {
        guard let additions = UnicodeAdditions.ranges[name] else {
            let known = UnicodeAdditions.ranges.keys.sorted().joined(separator: ", ")
            throw Self.refused("the property \"\(name)\", which is not one of \(known)")
        }
        let added = additions.map { range in
            let ends = [range.lowerBound, range.upperBound].map { "\\x{\(String($0, radix: 16))}" }
            return range.count == 1 ? ends[0] : ends.joined(separator: "-")
        }
        switch (inClass, negated) {
        case (true, false): output += "\\p{\(name)}" + added.joined()
        case (true, true): throw Self.refused("a negated property inside a class")
        case (false, false): output += "[\\p{\(name)}\(added.joined())]"
        case (false, true): output += "[^\\p{\(name)}\(added.joined())]"
        }
    }
}
