import Core

/// Every series: its name, its labels, and what it means. docs/metrics.md lists the same.
extension ServerMetrics {
    func writeRequests(chains: Int, to text: inout MetricsText) {
        text.family("catena_requests_total", .counter, help: "Completion requests, by how they ended.")
        for outcome in RequestOutcome.allCases {
            text.sample("catena_requests_total", labels: [("outcome", outcome.rawValue)], requests.ended(outcome))
        }
        text.family(
            "catena_tokens_generated_total",
            .counter,
            help: "Generated tokens, by the chains that computed them."
        )
        for count in 1...min(max(1, chains), RequestMetrics.mostChains) {
            let labels = [("chains", String(count))]
            text.sample("catena_tokens_generated_total", labels: labels, requests.generated(chains: count))
        }
        text.family(
            "catena_chain_changes_total",
            .counter,
            help: "Times that a token was computed by more (up) or fewer (down) chains than the one before it."
        )
        text.sample("catena_chain_changes_total", labels: [("direction", "up")], requests.chainsRaised.value)
        text.sample("catena_chain_changes_total", labels: [("direction", "down")], requests.chainsLowered.value)
        text.family("catena_prompt_tokens_total", .counter, help: "Tokens of admitted prompts, once for each answer.")
        text.sample("catena_prompt_tokens_total", requests.promptTokens.value)
        text.family(
            "catena_prompt_tokens_cached_total",
            .counter,
            help: "Tokens of admitted prompts whose keys and values were there already."
        )
        text.sample("catena_prompt_tokens_cached_total", requests.cachedPromptTokens.value)
        text.family(
            "catena_budgets_total",
            .counter,
            help: "Answers with a latency budget, by limit and whether it was met."
        )
        for limit in BudgetLimit.all {
            for (result, isMet) in [("met", true), ("missed", false)] {
                let labels = [("limit", limit.label), ("result", result)]
                text.sample("catena_budgets_total", labels: labels, requests.budgets(limit, isMet: isMet))
            }
        }
        for (name, help, histogram) in [
            (
                "catena_time_to_first_token_seconds", "From a request's arrival to an answer's first token.",
                requests.timeToFirstToken
            ),
            ("catena_inter_token_latency_seconds", "Between two tokens of an answer.", requests.interTokenLatency),
            (
                "catena_time_per_output_token_seconds", "The mean time between the tokens of one answer.",
                requests.timePerOutputToken
            ),
            (
                "catena_request_duration_seconds", "From a request's arrival to the end of an answer.",
                requests.duration
            ),
        ] {
            text.family(name, .histogram, help: help)
            text.sample(name, histogram)
        }
    }

    func writeEngine(to text: inout MetricsText) {
        text.family("catena_requests_running", .gauge, help: "Answers that are being computed.")
        text.sample("catena_requests_running", engine.running.value)
        text.family("catena_requests_waiting", .gauge, help: "Answers that wait for a place in the batch.")
        text.sample("catena_requests_waiting", engine.waiting.value)
        text.family(
            "catena_preemptions_total",
            .counter,
            help: "Answers that went back into the queue for lack of KV blocks."
        )
        text.sample("catena_preemptions_total", engine.preemptions.value)
        text.family(
            "catena_cancels_total",
            .counter,
            help: "Answers that were stopped on request, by the steps that ended in between. More than 1 is a fault."
        )
        for (index, steps) in ["0", "1", "more"].enumerated() {
            text.sample("catena_cancels_total", labels: [("steps", steps)], engine.cancels[index].value)
        }
        text.family(
            "catena_prefill_tokens_total",
            .counter,
            help: "Prompt tokens: computed, found in the cache, or computed again after a preemption."
        )
        text.sample("catena_prefill_tokens_total", labels: [("source", "computed")], engine.prefillComputed.value)
        text.sample("catena_prefill_tokens_total", labels: [("source", "cached")], engine.prefillCached.value)
        text.sample("catena_prefill_tokens_total", labels: [("source", "recomputed")], engine.prefillRecomputed.value)
        let (total, used, cached) = (engine.blocks.value, engine.blocksUsed.value, engine.blocksCached.value)
        text.family(
            "catena_kv_blocks",
            .gauge,
            help: "Blocks of keys and values: used by running requests, kept for reuse, or free."
        )
        text.sample("catena_kv_blocks", labels: [("state", "used")], used)
        text.sample("catena_kv_blocks", labels: [("state", "cached")], cached)
        text.sample("catena_kv_blocks", labels: [("state", "free")], max(0, total - used - cached))
        text.family("catena_kv_blocks_evicted_total", .counter, help: "Kept blocks that were given to other requests.")
        text.sample("catena_kv_blocks_evicted_total", engine.blocksEvicted.value)
        text.family("catena_sessions", .gauge, help: "Sessions, by the tier that holds them.")
        text.sample("catena_sessions", labels: [("tier", "memory")], engine.sessionsInMemory.value)
        text.sample("catena_sessions", labels: [("tier", "disk")], engine.sessionsOnDisk.value)
        text.sample("catena_sessions", labels: [("tier", "redis")], engine.sessionsInRedis.value)
        for (name, help, histogram) in [
            ("catena_queue_time_seconds", "From a request's arrival to its place in the batch.", engine.queueTime),
            ("catena_step_duration_seconds", "One step of the engine.", engine.stepTime),
            ("catena_plan_duration_seconds", "The scheduler's part of a step.", engine.planTime),
        ] {
            text.family(name, .histogram, help: help)
            text.sample(name, histogram)
        }
    }

    func writeAccess(to text: inout MetricsText) {
        text.family(
            "catena_refusals_total",
            .counter,
            help: "Requests refused for their key: a wrong one, or one whose limit was reached."
        )
        for reason in AccessRefusal.allCases {
            text.sample("catena_refusals_total", labels: [("reason", reason.rawValue)], access.refused(reason))
        }
        text.family("catena_access_log_dropped_total", .counter, help: "Lines that the access log left out.")
        text.sample("catena_access_log_dropped_total", access.logLinesDropped.value)
    }

    /// The same figures under the names that dashboards and gateways scrape from vLLM.
    func writeAliases(model: String, to text: inout MetricsText) {
        let labels = [("model_name", model)]
        let total = engine.blocks.value
        text.family("vllm:num_requests_running", .gauge, help: "catena_requests_running")
        text.sample("vllm:num_requests_running", labels: labels, engine.running.value)
        text.family("vllm:num_requests_waiting", .gauge, help: "catena_requests_waiting")
        text.sample("vllm:num_requests_waiting", labels: labels, engine.waiting.value)
        text.family("vllm:kv_cache_usage_perc", .gauge, help: "The used share of catena_kv_blocks; 1 is all of them.")
        let share = total == 0 ? 0 : Double(engine.blocksUsed.value) / Double(total)
        text.sample("vllm:kv_cache_usage_perc", labels: labels, share)
        text.family("vllm:cache_config_info", .gauge, help: "Tokens of a KV block, and blocks in all.")
        let configuration = [("block_size", String(engine.blockTokens.value)), ("num_gpu_blocks", String(total))]
        text.sample("vllm:cache_config_info", labels: labels + configuration, 1)
        let generated = (1...RequestMetrics.mostChains).reduce(0) { $0 + requests.generated(chains: $1) }
        for (name, help, value) in [
            ("vllm:prompt_tokens_total", "catena_prompt_tokens_total", requests.promptTokens.value),
            ("vllm:generation_tokens_total", "catena_tokens_generated_total of all chain counts", generated),
            ("vllm:prefix_cache_queries_total", "catena_prompt_tokens_total", requests.promptTokens.value),
            ("vllm:prefix_cache_hits_total", "catena_prompt_tokens_cached_total", requests.cachedPromptTokens.value),
            ("vllm:num_preemptions_total", "catena_preemptions_total", engine.preemptions.value),
        ] {
            text.family(name, .counter, help: help)
            text.sample(name, labels: labels, value)
        }
        for (name, help, histogram) in [
            (
                "vllm:time_to_first_token_seconds", "catena_time_to_first_token_seconds", requests.timeToFirstToken
            ),
            ("vllm:inter_token_latency_seconds", "catena_inter_token_latency_seconds", requests.interTokenLatency),
            ("vllm:e2e_request_latency_seconds", "catena_request_duration_seconds", requests.duration),
            ("vllm:request_queue_time_seconds", "catena_queue_time_seconds", engine.queueTime),
        ] {
            text.family(name, .histogram, help: help)
            text.sample(name, labels: labels, histogram)
        }
    }
}

extension BudgetLimit {
    fileprivate var label: String {
        switch self {
        case .whole: "whole"
        case .firstToken: "first_token"
        case .perToken: "per_token"
        }
    }
}
