import Access
import ArgumentParser

/// `catena make-key NAME`: a new key, and the line that lets it in.
struct MakeKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make-key",
        abstract: "Make an API key.",
        discussion: """
            Prints two lines: the key, which the client gets and which is stored nowhere, and the line for the server's \
            key file (keys.file) or keys.list, which has only its hash. SIGHUP makes a server read the file again.

              catena make-key alice --chains 2 --requests-per-minute 60
            """
    )

    @Argument(help: "Who gets it: 1 to 20 letters, digits, '.', '_' or '-'. Keys of one name share their sessions.")
    var name: String

    @Option(help: "The most chains.")
    var chains: Int?

    @Option(help: "The priority of requests that give none, and the highest that they may give.")
    var priority: Int?

    @Option(help: "The most requests a minute.")
    var requestsPerMinute: Int?

    @Option(help: "The most tokens a minute, of prompts and answers.")
    var tokensPerMinute: Int?

    @Option(help: "The most completions at the same time.")
    var maxConcurrent: Int?

    func run() throws {
        let key = RandomKey()
        var line = "\(key.hash) name=\(name)"
        for (field, value) in [
            ("chains", chains), ("priority", priority), ("requests_per_minute", requestsPerMinute),
            ("tokens_per_minute", tokensPerMinute), ("max_concurrent", maxConcurrent),
        ] {
            if let value { line += " \(field)=\(value)" }
        }
        do throws(KeyLineError) {
            _ = try AccessKey(line: line)
        } catch {
            throw ValidationError(error.description)
        }
        print(key.text)
        print(line)
    }
}
