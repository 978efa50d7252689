import API
import Foundation
import ServerConfig

extension ChatTemplate {
    /// Files of a checkpoint that may have its chat template, in Jinja: the newer one has nothing else in it, the older one
    /// has it among the tokenizer's settings. Only its markup is looked for, so neither is parsed.
    private static let fileNames = ["chat_template.jinja", "tokenizer_config.json"]

    /// The template that is set, or that of the checkpoint.
    /// - Throws: when a file of the folder is there and cannot be read.
    init(_ setting: ServerConfiguration.Model.ChatTemplate, folder: String) throws {
        switch setting {
        case .chatml: self = .chatml
        case .llama3: self = .llama3
        case .plain: self = .plain
        case .auto:
            for name in Self.fileNames {
                let path = folder + "/" + name
                guard FileManager.default.fileExists(atPath: path) else { continue }
                let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
                // tokenizer_config.json also lists added tokens by name, which say nothing about chats.
                let source =
                    name.hasSuffix(".jinja")
                    ? text[...] : text.range(of: "\"chat_template\"").map { text[$0.upperBound...] }
                if let source, let template = ChatTemplate(recognising: String(source)) {
                    self = template
                    return
                }
            }
            self = .plain
        }
    }
}
