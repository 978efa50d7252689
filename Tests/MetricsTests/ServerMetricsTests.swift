import Core
import Foundation
import Testing

@testable import Metrics

@Suite struct ServerMetricsTests {
    private func page(_ metrics: ServerMetrics, model: String? = "m", aliases: Bool = true) -> [String] {
        let bytes = metrics.page(model: model, chains: model == nil ? 0 : 4, aliases: aliases)
        return String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n")
    }

    /// Each family once, with its help, and its samples right behind.
    @Test func familiesAreWhole() {
        let lines = page(ServerMetrics())
        #expect(lines.last == "")
        var seen: Set<String> = []
        var samples: Set<String> = []
        var family = ""
        var isHistogram = false
        for (index, line) in lines.dropLast().enumerated() {
            if line.hasPrefix("# HELP ") {
                let words = line.split(separator: " ")
                family = String(words[2])
                #expect(words.count > 3 && seen.insert(family).inserted, "\(line)")
                #expect(lines[index + 1].hasPrefix("# TYPE \(family) "))
                isHistogram = lines[index + 1].hasSuffix(" histogram")
                #expect(lines[index + 1].hasSuffix(" counter") == family.hasSuffix("_total"))
            } else if !line.hasPrefix("# TYPE ") {
                let series = String(line.prefix { $0 != " " })
                #expect(samples.insert(series).inserted, "\(series) twice")
                let name = series.prefix { $0 != "{" }
                let names = isHistogram ? ["_bucket", "_sum", "_count"].map { family + $0 } : [family]
                #expect(names.contains(String(name)), "\(name) in \(family)")
            }
        }
        #expect(seen.count > 30)
    }

    @Test func showsWhatWasWritten() {
        let metrics = ServerMetrics()
        metrics.requests.count(.completed)
        metrics.requests.count(.unavailable)
        metrics.requests.countToken(chains: 1)
        metrics.requests.countToken(chains: 3)
        metrics.requests.countToken(chains: 3)
        for chains in [0, -1, 65] { metrics.requests.countToken(chains: chains) }
        metrics.requests.chainsRaised.add()
        metrics.requests.promptTokens.add(10)
        metrics.requests.cachedPromptTokens.add(4)
        metrics.requests.count(.firstToken, isMet: false)
        metrics.requests.count(.whole, isMet: true)
        metrics.engine.running.set(5)
        metrics.engine.waiting.set(2)
        for steps in [0, 1, 1, 2, 7] { metrics.engine.countCancel(afterSteps: steps) }
        metrics.engine.blocks.set(100)
        metrics.engine.blockTokens.set(16)
        metrics.engine.blocksUsed.set(25)
        metrics.engine.blocksCached.set(60)
        metrics.engine.prefillRecomputed.add(9)
        metrics.engine.sessionsOnDisk.set(3)
        metrics.engine.queueTime.record(.milliseconds(2))
        metrics.redis.count(.lookup, .timeout, .milliseconds(50))
        metrics.redis.count(.lookup, .skipped, .zero)
        metrics.redis.set(.open, of: .read)
        metrics.redis.bytesWritten.add(700)
        let lines = Set(page(metrics))
        for line in [
            #"catena_requests_total{outcome="completed"} 1"#, #"catena_requests_total{outcome="unavailable"} 1"#,
            #"catena_requests_total{outcome="deadline"} 0"#,
            #"catena_tokens_generated_total{chains="1"} 1"#, #"catena_tokens_generated_total{chains="2"} 0"#,
            #"catena_tokens_generated_total{chains="3"} 2"#,
            #"catena_chain_changes_total{direction="up"} 1"#, "catena_prompt_tokens_total 10",
            "catena_prompt_tokens_cached_total 4",
            #"catena_budgets_total{limit="first_token",result="missed"} 1"#,
            #"catena_budgets_total{limit="whole",result="met"} 1"#,
            #"catena_budgets_total{limit="per_token",result="met"} 0"#,
            "catena_requests_running 5", "catena_requests_waiting 2",
            #"catena_cancels_total{steps="0"} 1"#, #"catena_cancels_total{steps="1"} 2"#,
            #"catena_cancels_total{steps="more"} 2"#,
            #"catena_kv_blocks{state="used"} 25"#, #"catena_kv_blocks{state="cached"} 60"#,
            #"catena_kv_blocks{state="free"} 15"#,
            #"catena_prefill_tokens_total{source="recomputed"} 9"#, #"catena_sessions{tier="disk"} 3"#,
            #"catena_queue_time_seconds_bucket{le="0.001"} 0"#, #"catena_queue_time_seconds_bucket{le="0.0025"} 1"#,
            "catena_queue_time_seconds_sum 0.002",
            #"catena_redis_operations_total{operation="lookup",outcome="timeout"} 1"#,
            #"catena_redis_operations_total{operation="lookup",outcome="left_alone"} 1"#,
            #"catena_redis_operations_total{operation="store",outcome="ok"} 0"#,
            #"catena_redis_operation_seconds_count{operation="lookup"} 1"#,
            #"catena_redis_breaker_state{lane="read"} 2"#, #"catena_redis_breaker_state{lane="write"} 0"#,
            #"catena_redis_bytes_total{direction="written"} 700"#,
            #"vllm:num_requests_running{model_name="m"} 5"#, #"vllm:num_requests_waiting{model_name="m"} 2"#,
            #"vllm:kv_cache_usage_perc{model_name="m"} 0.25"#,
            #"vllm:cache_config_info{model_name="m",block_size="16",num_gpu_blocks="100"} 1"#,
            #"vllm:prompt_tokens_total{model_name="m"} 10"#, #"vllm:generation_tokens_total{model_name="m"} 3"#,
            #"vllm:prefix_cache_queries_total{model_name="m"} 10"#,
            #"vllm:prefix_cache_hits_total{model_name="m"} 4"#,
            #"vllm:request_queue_time_seconds_count{model_name="m"} 1"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(!lines.contains { $0.contains(#"chains="5""#) }, "only the model's own counts")
    }

    @Test func aliasesOnlyWithAModelAndWhenWanted() {
        let metrics = ServerMetrics()
        #expect(page(metrics).contains { $0.hasPrefix("vllm:") })
        #expect(!page(metrics, aliases: false).contains { $0.contains("vllm:") })
        #expect(!page(metrics, model: nil).contains { $0.contains("vllm:") })
        #expect(page(metrics, model: nil).contains("catena_requests_running 0"))
        #expect(page(metrics).contains(#"vllm:kv_cache_usage_perc{model_name="m"} 0"#), "without a pool, not a number")
    }

    /// Dashboards made for vLLM find the bounds they name.
    @Test func boundsContainThoseOfVLLM() {
        #expect(
            Bounds.firstToken == [
                0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160,
                640, 2560,
            ]
        )
        let interToken = [
            0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
        ]
        #expect(Bounds.interToken == [0.0005, 0.001, 0.0025, 0.005] + interToken)
    }
}
