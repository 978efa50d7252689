// The `post_processor` of a tokenizer.json: the special tokens that it puts around a text.

import JSON
import ModelIO

enum TemplateReader {
    struct Template {
        var prefix: [Int32] = []
        var suffix: [Int32] = []
    }

    /// Reads `post_processor` of the whole file `fields`; `known` are all tokens by spelling.
    static func read(_ fields: JSONFields, known: [ExactKey: Int32]) throws(ModelFileError) -> Template {
        guard let outer = try fields.optionalObject("post_processor") else { return Template() }
        let steps = try outer.string("type") == "Sequence" ? outer.optionalObjects("processors") ?? [] : [outer]
        var template = Template()
        for step in steps {
            switch try step.string("type") {
            case "ByteLevel": continue  // trims offsets, which nobody here asks for
            case "TemplateProcessing":
                // A later step works on what the earlier one made.
                let inner = try self.template(step, known: known)
                template.prefix = inner.prefix + template.prefix
                template.suffix += inner.suffix
            default:
                throw step.unsupported("type", "is \(step.typeName)", "\"TemplateProcessing\" or \"ByteLevel\"")
            }
        }
        return template
    }

    /// `"single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]`, with the ids in `special_tokens`.
    private static func template(_ step: JSONFields, known: [ExactKey: Int32]) throws(ModelFileError) -> Template {
        var template = Template()
        var hasText = false
        let specials = try step.optionalObject("special_tokens")
        for part in try step.optionalObjects("single") ?? [] {
            if let special = try part.optionalObject("SpecialToken") {
                let name = try special.string("id")
                let ids = try self.ids(of: name, specials, known: known, or: special)
                if hasText { template.suffix += ids } else { template.prefix += ids }
            } else {
                let sequence = try part.object("Sequence")
                guard try sequence.string("id") == "A", !hasText else {
                    throw sequence.unsupported("id", "is a second text or not \"A\"", "the text \"A\", once")
                }
                hasText = true
            }
        }
        guard hasText else { throw step.inconsistent("single", "has no text", "{\"Sequence\": {\"id\": \"A\"}} in it") }
        return template
    }

    private static func ids(
        of name: String,
        _ specials: JSONFields?,
        known: [ExactKey: Int32],
        or part: JSONFields
    ) throws(ModelFileError) -> [Int32] {
        guard let specials, let entry = try specials.optionalObject(name) else {
            throw part.inconsistent("id", "is \(quoted(name))", "a token listed in special_tokens")
        }
        var ids: [Int32] = []
        for id in try entry.ints("ids") {
            guard (0..<known.count).contains(id) else {
                throw entry.inconsistent("ids", "holds \(id)", "token ids from 0 to \(known.count - 1)")
            }
            ids.append(Int32(id))
        }
        return ids
    }
}
