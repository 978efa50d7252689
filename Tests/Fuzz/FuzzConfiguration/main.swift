// A configuration file: every mistake is told, and what is read and printed reads the same again.

import Fuzzing
import ServerConfig

fuzz { input in
    let yaml = String(decoding: input, as: UTF8.self)
    do throws(ConfigurationError) {
        let configuration = try EffectiveConfiguration(yaml: yaml, name: "fuzzed")
        guard let again = try? EffectiveConfiguration(yaml: configuration.describe(), name: "printed") else {
            fatalError("what is printed cannot be read")
        }
        precondition(again.values == configuration.values, "what is printed reads differently")
    } catch {
        precondition(!error.problems.isEmpty && !error.description.isEmpty)
    }
}
