import ArgumentParser
import Foundation
import Glibc
import LoadClient
import LoadTesting
import Synchronization

/// `catena loadtest`: an open-loop load on a server, and what became of it.
struct LoadTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loadtest",
        abstract: "Offer a load to an OpenAI-compatible server, and tell what became of it.",
        discussion: """
            Open loop: requests go out at their times, however slow the server is, and latencies count from the scheduled \
            arrival. Random arrivals and lengths, or those of a trace; budgets for the whole answer, the first token and \
            each further one. Any server with POST /v1/completions will do; chain counts are shown where the server tells \
            them. docs/loadtest.md explains the figures. Ctrl-C ends the test and prints what there is.

              catena loadtest --rate 5 --duration 30 --budget-ms 800
              catena loadtest --measure-capacity --load 0.8 --arrivals gamma --cv2 4 --budget-factor 3 --plot load.svg
              catena loadtest --trace azure.csv --rate 4 --length-divisor 16 --prompt-clip 1-512 --output-clip 1-128
            """
    )

    @Option(help: "The server: http://HOST:PORT, or with a base path as in http://HOST:PORT/v1.")
    var url = "http://127.0.0.1:8080"

    @OptionGroup(title: "Workload") var workload: WorkloadArguments

    @Option(help: ArgumentHelp("Budget of a whole answer (X-Latency-Budget-Ms).", valueName: "ms"))
    var budgetMs: Double?

    @Option(
        help: ArgumentHelp(
            "Instead: so many times what the request takes on the idle server at full size, measured first.",
            valueName: "x"
        )
    )
    var budgetFactor: Double?

    @Option(help: ArgumentHelp("Limit of the time to the first token (X-SLO-TTFT-Ms).", valueName: "ms"))
    var ttftMs: Double?

    @Option(help: ArgumentHelp("Limit of the time per further token (X-SLO-TPOT-Ms).", valueName: "ms"))
    var tpotMs: Double?

    @Option(help: "What X-Chains says: 2, 1-3 or auto. Not sent if not given.")
    var chains: String?

    @Flag(help: "First find how many requests a second the server answers at one chain, for --load.")
    var measureCapacity = false

    @Option(help: ArgumentHelp("That figure, if it is known.", valueName: "requests/s"))
    var capacity: Double?

    @Option(help: "--measure-capacity: seconds of saturation.")
    var capacitySeconds = 15.0

    @Option(help: "--measure-capacity: requests at the same time, enough to keep the server's batch full.")
    var capacityConcurrency = 48

    @Option(help: "The model's name. [default: the first that the server lists]")
    var model: String?

    @Option(
        help: """
            The key, sent as a bearer token. Everybody on this machine can read it in the list of processes: better put it \
            in the environment. [default: $CATENA_API_KEY]
            """
    )
    var apiKey: String?

    @Option(help: "Deal requests out to so many sessions, whose prompts begin alike.")
    var sessions = 0

    @Option(help: "Requests that are sent, and not counted, before anything is measured.")
    var warmup = 4

    @Option(help: "Send prompts as token ids of a vocabulary of this size: exact lengths. Else they are English words.")
    var vocabulary: Int?

    @Flag(inversion: .prefixedNo, help: "Ask for answers of exactly the planned length.")
    var ignoreEos = true

    @Option(help: "Temperature of the answers.")
    var temperature = 0.0

    @Option(help: "Seconds after which a request has failed.")
    var timeout = 120.0

    @Option(
        help: ArgumentHelp("Write everything as JSON, - for standard output without the tables.", valueName: "file")
    )
    var json: String?

    @Option(help: ArgumentHelp("Draw the run as SVG.", valueName: "file"))
    var plot: String?

    func validate() throws {
        if budgetMs != nil && budgetFactor != nil {
            throw ValidationError("Give --budget-ms or --budget-factor, not both.")
        }
        for (name, value) in [
            ("--budget-ms", budgetMs), ("--budget-factor", budgetFactor), ("--ttft-ms", ttftMs), ("--tpot-ms", tpotMs),
            ("--capacity", capacity), ("--capacity-seconds", capacitySeconds), ("--timeout", timeout),
        ] {
            if let value, !(value > 0 && value < 1e9) {
                throw ValidationError("\(name) is \(value); it must be above 0.")
            }
        }
        if workload.needsCapacity && !measureCapacity && capacity == nil {
            throw ValidationError("--load is a share of the capacity: give --capacity R, or --measure-capacity.")
        }
        if measureCapacity && capacity != nil {
            throw ValidationError("--capacity is known, or to be measured; not both.")
        }
        if let vocabulary, !(16...100_000_000 ~= vocabulary) {
            throw ValidationError("--vocabulary is \(vocabulary); it must be at least 16.")
        }
        for (name, value, range) in [
            ("--sessions", sessions, 0...1_000_000), ("--warmup", warmup, 0...100_000),
            ("--capacity-concurrency", capacityConcurrency, 1...100_000),
        ] where !range.contains(value) {
            throw ValidationError("\(name) is \(value); it must be \(range.lowerBound) to \(range.upperBound).")
        }
        for (name, value) in [("--chains", chains), ("--api-key", apiKey), ("CATENA_API_KEY", Self.keyInEnvironment)] {
            if let value, value.isEmpty || !value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
                throw ValidationError("\(name) must be printable ASCII characters without spaces.")
            }
        }
        if !(0...2 ~= temperature) { throw ValidationError("--temperature is \(temperature); it must be 0 to 2.") }
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        StopRequest.watch()
        raiseDescriptorLimit()
        // A file that cannot be written is told before the test and not after it.
        for path in [json, plot] {
            if let path, path != "-" { try Data().write(to: URL(fileURLWithPath: path)) }
        }
        var client = try makeClient()
        let time = try measure(&client)
        let workload = try workload.makeWorkload(capacity: time.capacity)
        let rule = LatencyRule(
            budget: budgetMs.map { .fixed($0 / 1000) } ?? time.unloaded.map { .factor(budgetFactor ?? 1, of: $0) },
            firstToken: ttftMs.map { $0 / 1000 },
            perToken: tpotMs.map { $0 / 1000 }
        )
        var bar = ProgressBar("loadtest", total: workload.arrivals.count, unit: "requests")
        let run = try client.offer(workload, rule: rule) { progress in
            bar.update(progress.ended)
            return !StopRequest.isRequested
        }
        bar.finish()
        try show(
            LoadReport(
                title: "\(url), \(self.workload.summary)",
                outcomes: run.outcomes,
                duration: workload.duration,
                stopped: run.wasStopped ? run.seconds : nil
            )
        )
    }

    /// An empty one is none.
    private static var keyInEnvironment: String? {
        ProcessInfo.processInfo.environment["CATENA_API_KEY"].flatMap { $0.isEmpty ? nil : $0 }
    }

    private func makeClient() throws -> LoadClient {
        let target = try Target(url)
        let key = apiKey ?? Self.keyInEnvironment
        let seed = workload.seed
        let listed = try ServerModels.first(of: target, apiKey: key)
        var template = CompletionTemplate(
            prompts: vocabulary.map { .tokens(vocabulary: $0, seed: seed) } ?? .words(tokensPerWord: 1, seed: seed)
        )
        template.model = model ?? listed
        template.apiKey = key
        template.chains = chains
        template.ignoresEnd = ignoreEos
        template.temperature = temperature
        template.sessions = sessions
        template.sessionPrefix = "loadtest-\(seed)-\(UInt32.random(in: 0...UInt32.max))"
        var client = LoadClient(target: target, template: template)
        client.timeout = timeout
        return client
    }

    /// What is measured before the test.
    private struct Measured {
        var capacity: Double?
        var unloaded: UnloadedTime?
    }

    private func measure(_ client: inout LoadClient) throws -> Measured {
        var measured = Measured(capacity: capacity)
        let status = StatusLine("loadtest")
        let observe: LoadClient.Observer = { _ in !StopRequest.isRequested }
        if vocabulary == nil {
            status.show("measuring the tokens of a word")
            let seed = workload.seed
            client.template.prompts = .words(tokensPerWord: try client.measureTokensPerWord(seed: seed), seed: seed)
        }
        // Rates do not matter here: only lengths are used.
        let lengths = try workload.makeWorkload(capacity: 1)
        if warmup > 0 {
            status.show("warming up")
            _ = try client.saturate(lengths.arrivals, concurrency: 4, until: .requests(warmup), observe: observe)
        }
        // Not the client of the test: other prompts, no sessions.
        var measuring = client
        measuring.template.sessions = 0
        measuring.template.prompts = client.template.prompts.reseeded(workload.seed &+ 1)
        if measureCapacity {
            status.show("measuring the capacity at one chain for \(fixed(capacitySeconds, digits: 0)) s")
            measuring.template.chains = "1"
            let found = try measuring.measureCapacity(
                lengths,
                concurrency: capacityConcurrency,
                seconds: capacitySeconds,
                observe: observe
            )
            measured.capacity = found
            status.clear()
            printError(
                "capacity at one chain: \(fixed(found, digits: 3)) requests/s (--capacity \(fixed(found, digits: 3)))"
            )
            measuring.template.chains = chains
        }
        if budgetFactor != nil {
            status.show("measuring the unloaded server")
            let time = try measuring.measureUnloadedTime(lengths, observe: observe)
            measured.unloaded = time
            status.clear()
            let mean = time.seconds(
                promptTokens: Int(lengths.meanPromptTokens.rounded()),
                outputTokens: Int(lengths.meanOutputTokens.rounded())
            )
            printError("unloaded, a request of mean lengths: \(fixed(mean * 1000, digits: 1)) ms")
        }
        status.clear()
        if StopRequest.isRequested { throw ExitCode(130) }
        return measured
    }

    private func show(_ report: LoadReport) throws {
        if let plot { try Data(LoadPlot(report).svg.utf8).write(to: URL(fileURLWithPath: plot)) }
        if json == "-" {
            FileHandle.standardOutput.write(Data(report.json(includingRequests: true)))
        } else {
            print(LoadTables(report).text)
            if let json { try Data(report.json(includingRequests: true)).write(to: URL(fileURLWithPath: json)) }
        }
    }

    /// Every request in flight has a descriptor.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Ctrl-C: the first asks for an end with a report, the second ends the process.
private enum StopRequest {
    private static let flag = Atomic<Bool>(false)

    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    static func watch() {
        // Made before the handler needs it: a signal handler must not.
        _ = isRequested
        signal(SIGINT) { _ in
            StopRequest.flag.store(true, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
    }
}
