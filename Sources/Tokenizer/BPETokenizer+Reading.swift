// tokenizer.json, as the `tokenizers` package of Hugging Face writes it. Of its many models, normalizers and decoders this
// reads the byte-level BPE family; anything that would change the ids and is not done here is refused by name.

import JSON
import ModelIO

extension BPETokenizer {
    /// Name of the file in a model folder.
    public static let fileName = "tokenizer.json"
    /// More than the vocabulary of any model, and a bound on memory.
    private static let fileByteLimit = 256 << 20

    /// Reads and checks the tokenizer.json at `path`.
    /// - Throws: `ModelFileError` naming the file, the key and what would be right.
    public convenience init(path: String) throws(ModelFileError) {
        let file = try MappedFile(path: path)
        guard file.bytes.count <= Self.fileByteLimit else {
            throw ModelFileError(
                .malformed,
                file: path,
                problem: "has \(file.bytes.count) bytes",
                expectation: "at most \(Self.fileByteLimit)"
            )
        }
        let fields = try JSONFields(parsing: file.bytes, file: path)
        // `truncation` and `padding` are how a training run cut its batches; a server's lengths are its own.
        if let normalizer = try fields.optionalObject("normalizer") {
            throw normalizer.unsupported("type", "is \(normalizer.typeName)", "no normalizer (null)")
        }
        let decoder = try fields.object("decoder")
        guard try decoder.string("type") == "ByteLevel" else {
            throw decoder.unsupported("type", "is \(decoder.typeName)", "\"ByteLevel\"")
        }
        let model = try fields.object("model")
        try Self.checkModel(model)
        let takesWholeWords = try model.optionalBool("ignore_merges") ?? false

        var reader = VocabularyReader(model: try model.object("vocab"))
        try reader.readModel()
        let merges = try reader.readMerges(model)
        let addedTokens = try reader.readAddedTokens(fields)
        let template = try TemplateReader.read(fields, known: reader.ids)
        try self.init(
            vocabulary: reader.vocabulary(addedTokens, indexesWords: takesWholeWords),
            addedTokens: addedTokens,
            preTokenizer: PreTokenizer(json: fields),
            merges: merges,
            takesWholeWords: takesWholeWords,
            prefix: template.prefix,
            suffix: template.suffix
        )
    }

    private static func checkModel(_ model: JSONFields) throws(ModelFileError) {
        // Old files name no type.
        if let type = try model.optionalString("type"), type != "BPE" {
            throw model.unsupported("type", "is \(quoted(type))", "\"BPE\"")
        }
        if let dropout = try model.optionalDouble("dropout"), dropout != 0 {
            throw model.unsupported("dropout", "is \(dropout)", "null: the same text must always give the same ids")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = try model.optionalString(key), !text.isEmpty {
                throw model.unsupported(key, "is \(quoted(text))", "null: this is not a byte-level vocabulary")
            }
        }
    }
}

extension JSONFields {
    /// The value of "type", for messages.
    var typeName: String { value("type")?.summary ?? "missing" }
}
