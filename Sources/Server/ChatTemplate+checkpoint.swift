import API
import Foundation
import JSON
import ServerConfig

extension ChatTemplate {
    /// The template that is set, or that of the checkpoint: `plain` where it has none, or one of another kind.
    /// - Throws: when a file of the folder is there and cannot be read.
    init(_ setting: ServerConfiguration.Model.ChatTemplate, folder: String) throws {
        switch setting {
        case .chatml: self = .chatml
        case .llama3: self = .llama3
        case .plain: self = .plain
        case .auto:
            let source = try Self.source(in: URL(fileURLWithPath: folder))
            self = source.flatMap { ChatTemplate(recognising: $0) } ?? .plain
        }
    }

    /// The checkpoint's own template in Jinja: a file of its own, or, as older checkpoints have it, a member of
    /// tokenizer_config.json, which is a text or a list of named ones.
    private static func source(in folder: URL) throws -> String? {
        let file = folder.appendingPathComponent("chat_template.jinja")
        if FileManager.default.fileExists(atPath: file.path) { return try String(contentsOf: file, encoding: .utf8) }
        let settings = folder.appendingPathComponent("tokenizer_config.json")
        guard FileManager.default.fileExists(atPath: settings.path) else { return nil }
        let json: JSONValue
        do {
            json = try JSONParser.parse(Array(try Data(contentsOf: settings)), of: "the file")
        } catch let error as JSONError {
            let place = "at line \(error.line), column \(error.column)"
            throw StartError.chatTemplate(path: settings.path, problem: "\(error.problem), \(place)")
        }
        guard case .object(let members) = json else { return nil }
        switch members["chat_template"] {
        case .string(let text): return text
        case .array(let named): return named.lazy.compactMap(Self.defaultTemplate).first
        default: return nil
        }
    }

    /// The text of an entry that is named "default".
    private static func defaultTemplate(_ entry: JSONValue) -> String? {
        guard case .object(let members) = entry, members["name"]?.string == "default" else { return nil }
        return members["template"]?.string
    }
}
