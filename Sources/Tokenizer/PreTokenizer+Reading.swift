// The `pre_tokenizer` of a tokenizer.json: one step, or a sequence of steps that ends in `ByteLevel`.

import JSON
import ModelIO

extension PreTokenizer {
    /// Reads `pre_tokenizer` of the whole file `fields`.
    init(json fields: JSONFields) throws(ModelFileError) {
        let outer = try fields.object("pre_tokenizer")
        let steps = try outer.string("type") == "Sequence" ? outer.optionalObjects("pretokenizers") ?? [] : [outer]
        self.init(addsPrefixSpace: false, splits: [])
        guard let last = steps.last, try last.string("type") == "ByteLevel" else {
            throw (steps.last ?? outer).unsupported(
                "type",
                "is \((steps.last ?? outer).typeName)",
                "\"ByteLevel\", alone or at the end of a sequence"
            )
        }
        for step in steps.dropLast() { splits.append(try Self.split(step)) }
        addsPrefixSpace = try last.bool("add_prefix_space")
        guard !addsPrefixSpace || splits.isEmpty else {
            throw last.unsupported("add_prefix_space", "is true", "false, after other steps")
        }
        if try last.optionalBool("use_regex") ?? true {
            splits.append(
                Split(pattern: try Self.pattern(last, regex: Self.gpt2Pattern), behavior: .isolated, inverted: false)
            )
        }
    }

    private static func split(_ step: JSONFields) throws(ModelFileError) -> Split {
        switch try step.string("type") {
        case "Split":
            let choice = try step.object("pattern")
            let pattern: SplitPattern
            if let regex = try choice.optionalString("Regex") {
                pattern = try Self.pattern(choice, regex: regex)
            } else {
                pattern = try Self.pattern(choice, literal: choice.string("String"))
            }
            let name = try step.string("behavior")
            guard let behavior = Behavior(rawValue: name) else {
                let names = Behavior.allCases.map(\.rawValue).joined(separator: ", ")
                throw step.inconsistent("behavior", "is \(quoted(name))", "one of \(names)")
            }
            return Split(pattern: pattern, behavior: behavior, inverted: try step.optionalBool("invert") ?? false)
        case "Digits":
            let individually = try step.optionalBool("individual_digits") ?? false
            return Split(
                pattern: try Self.pattern(step, regex: "\\p{N}"),
                behavior: individually ? .isolated : .contiguous,
                inverted: false
            )
        default:
            throw step.unsupported("type", "is \(step.typeName)", "\"Split\", \"Digits\" or, at the end, \"ByteLevel\"")
        }
    }

    private static func pattern(_ fields: JSONFields, regex: String) throws(ModelFileError) -> SplitPattern {
        do {
            return try SplitPattern(regex: regex)
        } catch {
            throw fields.unsupported("Regex", error.problem, "a pattern that Oniguruma and PCRE2 read alike")
        }
    }

    private static func pattern(_ fields: JSONFields, literal: String) throws(ModelFileError) -> SplitPattern {
        do {
            return try SplitPattern(literal: literal)
        } catch {
            throw fields.unsupported("String", error.problem, "a shorter text")
        }
    }
}
