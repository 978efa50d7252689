import Yams

/// A value that some source has for a key.
struct AssignedValue {
    var setting: Setting
    var raw: RawValue
    var origin: Origin
}

/// Reads a configuration file (YAML 1.1). Finds keys that do not exist, sections that are values, values that are
/// sections, and keys given twice; whether values are right is for the settings to say.
struct ConfigurationFile {
    private let name: String
    private(set) var values: [AssignedValue] = []
    private(set) var problems: [ConfigurationProblem] = []

    /// - Parameter name: of the file, for messages.
    init(_ text: String, name: String) {
        self.name = name
        do {
            guard let root = try Yams.compose(yaml: text) else { return }
            walk(root, path: [])
        } catch let error as YamlError {
            note(error)
        } catch {
            problems.append(problem(nil, "this is not YAML: \(error)"))
        }
    }

    private func origin(_ mark: Mark?) -> Origin {
        .file(name: name, line: mark?.line ?? 1, column: mark?.column ?? 1)
    }

    private func problem(_ mark: Mark?, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(origin: origin(mark), message: message)
    }

    private mutating func note(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            problems.append(self.problem(mark, "this is not YAML: \(problem)."))
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.sorted().map { "'\($0)'" }.joined(separator: ", ")
            problems.append(problem(context.mark, "the section that begins here has \(keys) more than once."))
        default:
            problems.append(problem(nil, "this is not YAML: \(error)"))
        }
    }

    /// Visits a section, the root being one.
    private mutating func walk(_ node: Node, path: [String]) {
        guard case .mapping(let mapping) = node else {
            // A section whose keys are all commented out.
            if case .null = RawValue(node) { return }
            let what = path.isEmpty ? "the file" : path.joined(separator: ".")
            problems.append(problem(node.mark, "\(what) must be a section of keys; got \(RawValue(node).found)."))
            return
        }
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                problems.append(problem(key.mark, "a key must be a word; got \(RawValue(key).found)."))
                continue
            }
            visit(scalar, value, path: path + [scalar.string])
        }
    }

    private mutating func visit(_ key: Node.Scalar, _ value: Node, path: [String]) {
        let name = path.joined(separator: ".")
        if let setting = ServerConfiguration.settings.first(where: { $0.path == name }) {
            values.append(AssignedValue(setting: setting, raw: RawValue(value), origin: origin(value.mark ?? key.mark)))
        } else if ServerConfiguration.settings.contains(where: { $0.path.hasPrefix(name + ".") }) {
            walk(value, path: path)
        } else {
            problems.append(problem(key.mark, Spelling.unknown(name, among: ServerConfiguration.settings.map(\.path))))
        }
    }
}

extension RawValue {
    init(_ node: Node) {
        switch node {
        case .mapping: self = .mapping
        case .sequence(let sequence): self = .list(sequence.map { RawValue($0) })
        case .scalar(let scalar) where scalar.style == .plain:
            // YAML 1.1, "Null Language-Independent Type".
            self = ["", "~", "null", "Null", "NULL"].contains(scalar.string) ? .null : .plain(scalar.string)
        case .scalar(let scalar): self = .quoted(scalar.string)
        case .alias(let alias): self = .plain("*\(alias.anchor.rawValue)")
        }
    }
}
