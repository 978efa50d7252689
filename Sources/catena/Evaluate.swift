import ArgumentParser
import Foundation

/// `catena eval FILE`: loss and perplexity of every chain count.
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure loss and perplexity on a text, for every chain count.",
        discussion: """
            The text is tokenised whole and cut into windows of --window tokens; window i predicts the tokens \
            i*window+1 ... (i+1)*window from those before them in the window. Loss is the mean negative log \
            likelihood over all predicted tokens, in nats; perplexity is exp(loss). training/ measures the same \
            numbers with PyTorch (docs/training.md).

              catena eval valid.txt
              xz -dc valid.txt.xz | catena eval - --chains 1,4
            """
    )

    @OptionGroup var arguments: ModelArguments

    @Argument(help: "A UTF-8 text file, or - for standard input.")
    var file: String

    @Option(help: "Chain counts to measure, separated by commas; all if not given.")
    var chains: String?

    @Option(help: "Tokens of a window.")
    var window = 512

    @Option(help: "Stop after this many tokens.")
    var limit: Int?

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        if window < 1 { throw ValidationError("--window is \(window); it must be at least 1.") }
        if let limit, limit < 2 { throw ValidationError("--limit is \(limit); it must be at least 2.") }
    }

    func run() throws {
        let checkpoint = try arguments.openCheckpoint()
        let counts = try chainCounts(available: checkpoint.chainCount)
        guard window <= checkpoint.configuration.contextLength else {
            throw ValidationError(
                "--window is \(window); this model's context is \(checkpoint.configuration.contextLength) tokens."
            )
        }
        let text = try readText()
        let tokenizer = try arguments.openTokenizer()
        var tokens = try tokenizer.encode(text, addSpecial: false)
        var bytes = text.utf8.count
        if let limit, limit < tokens.count {
            tokens = Array(tokens.prefix(limit))
            bytes = try tokenizer.decode(tokens, skipSpecial: false).utf8.count
        }
        guard tokens.count >= 2 else { throw ValidationError("\(file) has fewer than two tokens: nothing to predict.") }

        let model = try arguments.makeModel(checkpoint, maxRows: Evaluation.rowsPerPass)
        var evaluation = Evaluation(model: model, window: window)
        var bar = ProgressBar("eval", total: tokens.count * counts.count, unit: "tokens")
        var results: [Evaluation.Result] = []
        for (index, count) in counts.enumerated() {
            results.append(evaluation.measure(tokens, chains: count) { bar.update(index * tokens.count + $0) })
        }
        bar.finish()
        print(json ? Self.json(results) : Self.table(results, bytes: bytes))
    }

    private func chainCounts(available: Int) throws -> [Int] {
        guard let chains else { return Array(1...available) }
        return try chains.split(separator: ",").map { part in
            guard let count = Int(part), 1...available ~= count else {
                throw ValidationError("--chains has '\(part)'; this model has 1 to \(available) chains.")
            }
            return count
        }
    }

    private func readText() throws -> String {
        let data: Data
        if file == "-" {
            data = FileHandle.standardInput.readDataToEndOfFile()
        } else {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw ValidationError("\(file) is not UTF-8 text. Is it compressed? xz -dc \(file) | catena eval -")
        }
        return text
    }

    private static func table(_ results: [Evaluation.Result], bytes: Int) -> String {
        var rows = [["chains", "loss", "perplexity", "bits per byte", "tokens"]]
        for result in results {
            let bits = result.loss * Double(result.predicted) / 0.6931471805599453 / Double(bytes)
            rows.append([
                "\(result.chains)", fixed(result.loss, digits: 4), fixed(result.perplexity, digits: 3),
                fixed(bits, digits: 4), grouped(result.predicted),
            ])
        }
        return alignedRight(rows).joined(separator: "\n")
    }

    private static func json(_ results: [Evaluation.Result]) -> String {
        let rows = results.map {
            #"{"chains":\#($0.chains),"loss":\#($0.loss),"perplexity":\#($0.perplexity),"tokens":\#($0.predicted)}"#
        }
        return "[" + rows.joined(separator: ",") + "]"
    }
}
