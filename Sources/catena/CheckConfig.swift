import ArgumentParser
import ServerConfig

/// `catena check-config`: the configuration in force, or everything that is wrong with it.
struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration and print the values in force.",
        discussion: """
            Reads the file, the environment and the flags as `serve` does and prints every setting as YAML, each with \
            where its value comes from. If anything is wrong it prints every mistake, with file, line and column, and \
            fails.
            """
    )

    @OptionGroup var arguments: ConfigurationArguments

    func run() throws {
        let configuration = try arguments.load()
        for warning in configuration.warnings { printError("warning: \(warning)") }
        print(configuration.describe())
    }
}
