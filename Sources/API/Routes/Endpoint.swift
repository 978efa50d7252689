import HTTP1

/// The route table: every path that the API answers, with its methods. `{}` stands for the rest of the path.
enum Endpoint: String, Sendable, Hashable, CaseIterable {
    case completions = "/v1/completions"
    case chat = "/v1/chat/completions"
    case tokenize = "/tokenize"
    case detokenize = "/detokenize"
    case tokenizerInfo = "/tokenizer_info"
    case models = "/v1/models"
    case model = "/v1/models/{model}"
    case request = "/v1/requests/{id}"
    case sessions = "/v1/sessions"
    case session = "/v1/sessions/{id}"
    case health = "/health"
    case readiness = "/readyz"
    case metrics = "/metrics"
    case playground = "/"
    case openAPI = "/openapi.json"
    /// `OPTIONS *`: the server as a whole (RFC 9110, 9.3.7).
    case server = "*"

    /// In the order of `Allow`.
    var methods: [HTTPMethod] {
        switch self {
        case .completions, .chat, .tokenize, .detokenize: [.post, .options]
        case .tokenizerInfo, .models, .model, .sessions, .health, .readiness, .metrics, .playground, .openAPI:
            [.get, .head, .options]
        case .request: [.patch, .delete, .options]
        case .session: [.get, .head, .delete, .options]
        case .server: [.options]
        }
    }

    /// The methods as `Allow` lists them; those of all paths for the server as a whole.
    var allow: [String] {
        let all: [HTTPMethod] = [.get, .head, .post, .patch, .delete, .options]
        return (self == .server ? all : methods).map(\.name)
    }

    /// Whether it answers without a key where keys are needed: probes, the page that asks for the key, and what tells nothing
    /// of anybody.
    var isOpen: Bool {
        switch self {
        case .health, .readiness, .playground, .openAPI, .server: true
        default: false
        }
    }

    /// Whether it counts among a key's requests per minute: what makes the server work.
    var isLimited: Bool {
        switch self {
        case .completions, .chat, .tokenize, .detokenize: true
        default: false
        }
    }

    /// What stands before the parameter; nil for a path without one.
    var prefix: Substring? {
        rawValue.firstIndex(of: "{").map { rawValue[..<$0] }
    }
}
