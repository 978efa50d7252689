import ArgumentParser

/// The program: one command a file.
@main
struct Catena: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catena",
        abstract: "An elastic LLM inference server: one model, many sizes, chosen per request.",
        discussion: """
            A CoLM-Air model is a stack of chains; its first k chains are a complete smaller model. Catena serves all \
            of these sizes from one set of weights and one KV cache. A request picks its size with the X-Chains \
            header, and the next request of its session may pick another: nothing is computed again.

            START HERE
              catena serve --model Models/catena-fable-16m
              curl localhost:8080/v1/completions -H 'X-Chains: 2' \\
                --json '{"prompt": "Once upon a time", "max_tokens": 64}'

            SETTINGS
              Flags win over environment variables (CATENA_SERVER_PORT=8081), which win over the configuration file \
            (--config config.yaml), which wins over the defaults. config.yaml in the source tree explains every \
            setting; `catena check-config` shows the values in force and where each comes from.

            EXIT STATUS
              0 success, 1 a failure (said on standard error), 64 wrong usage.
            """,
        version: catenaVersion,
        subcommands: [
            Serve.self, Generate.self, Evaluate.self, Bench.self, LoadTest.self, Simulate.self, Quantize.self,
            Random.self, Inspect.self, CheckConfig.self, MakeKey.self,
        ]
    )
}

/// The version of this source tree.
let catenaVersion = "0.1.0"
