/// How a conversation is written down for a model.
public enum ChatTemplate: String, Sendable, Hashable, CaseIterable {
    /// `<|im_start|>role`, the text, `<|im_end|>`: OpenAI's markup, which Qwen and many others were trained on.
    case chatml
    /// `<|start_header_id|>role<|end_header_id|>`, the text, `<|eot_id|>`: Llama 3's.
    case llama3
    /// A transcript in words, which a model without training for chats may continue: `User: …`, `Assistant: …`.
    case plain

    /// The template whose markup a checkpoint's own one uses.
    /// - Parameter source: `chat_template` of tokenizer_config.json, in Jinja.
    /// - Returns: nil for markup that is none of ours.
    public init?(recognising source: String) {
        if source.contains("<|im_start|>") {
            self = .chatml
        } else if source.contains("<|start_header_id|>") {
            self = .llama3
        } else {
            return nil
        }
    }

    /// A piece of a written conversation.
    enum Part: Sendable, Hashable {
        /// A special token by its name. A vocabulary without it gets the name as text.
        case special(String)
        /// Text, in which special tokens that are spelled out are text: nobody's message may forge markup.
        case text(String)
    }

    /// The conversation, up to where the assistant's next text begins.
    func parts(of messages: [ChatMessage]) -> [Part] {
        switch self {
        case .chatml:
            return messages.flatMap { message -> [Part] in
                let text = "\(message.role.rawValue)\n\(message.text)"
                return [.special("<|im_start|>"), .text(text), .special("<|im_end|>"), .text("\n")]
            } + [.special("<|im_start|>"), .text("assistant\n")]
        case .llama3:
            func header(_ role: ChatMessage.Role) -> [Part] {
                [.special("<|start_header_id|>"), .text(role.rawValue), .special("<|end_header_id|>"), .text("\n\n")]
            }
            return [.special("<|begin_of_text|>")]
                + messages.flatMap { header($0.role) + [.text($0.text.trimmed), .special("<|eot_id|>")] }
                + header(.assistant)
        case .plain:
            let lines = messages.map { message -> String in
                if message.role == .system { return "\(message.text)\n\n" }
                // A text that the model began on a new line had no space before it: a session finds it as it was.
                let space = message.text.first?.isNewline == true ? "" : " "
                return "\(message.role.title):\(space)\(message.text)\n"
            }
            return [.text(lines.joined() + "\(ChatMessage.Role.assistant.title):")]
        }
    }

    /// The special token that ends the assistant's text, beside the model's end tokens.
    var endToken: String? {
        switch self {
        case .chatml: "<|im_end|>"
        case .llama3: "<|eot_id|>"
        case .plain: nil
        }
    }

    /// Strings that end the assistant's text, beside the request's: where a transcript has others speak.
    var stops: [String] {
        self == .plain ? ["\n\(ChatMessage.Role.user.title):", "\n\(ChatMessage.Role.assistant.title):"] : []
    }

    /// Whether spaces before the assistant's text are markup: a transcript's colon has one behind it, and a tokenizer keeps
    /// that with the word that follows.
    var skipsLeadingSpaces: Bool { self == .plain }

    /// Whether a text begins as a completion's does, with the token that the tokenizer puts first; the others write their own.
    var beginsAsCompletion: Bool { self == .plain }
}

/// One message of a conversation.
struct ChatMessage: Sendable, Hashable {
    enum Role: String, Sendable, Hashable, CaseIterable {
        case system, user, assistant

        /// The name in a transcript.
        var title: String {
            switch self {
            case .system: "System"
            case .user: "User"
            case .assistant: "Assistant"
            }
        }
    }

    var role: Role
    var text: String
}

extension String {
    /// Without white space at both ends, as Llama 3's template has its texts.
    fileprivate var trimmed: String {
        let start = drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }
}
