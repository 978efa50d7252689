import Core
import Dispatch
import KVCache
import Model
import Scheduling
import Synchronization
import TestSupport
import Testing

@testable import Engine

/// A thousand cancels at random, in every state: each frees its request's memory at once, is gone from the step after the
/// one that runs, and changes nobody's answer.
@Suite struct CancelTests {
    private enum State: CaseIterable {
        case queued, preempted, prefill, decode
    }

    private struct Open {
        var id: RequestID
        var prompt: [TokenID]
        var max: Int
        var chains: Int
        var log: EventLog
    }

    /// The step loop, driven by hand: what a cancel frees, block by block.
    private struct Traffic {
        var bench = Bench(blocks: 12, running: 5, queued: 12, stepTokens: 20)
        var random: SeededGenerator
        var open: [Open] = []
        var cancelled: [(log: EventLog, events: Int)] = []
        var counts: [State: Int] = [:]
        var checked = 0

        private mutating func pick(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

        mutating func arrive() {
            let words = prompt(pick(1...60), from: pick(0...60))
            let (max, chains, samples) = (pick(1...80), pick(1...4), pick(0...3) == 0 ? 3 : 1)
            var leader: RequestID?
            for _ in 0..<samples {
                let (id, log) = bench.submit(words, max: max, chains: chains, priority: pick(0...1), leader: leader)
                leader = leader ?? id
                if log.failure == nil { open.append(Open(id: id, prompt: words, max: max, chains: chains, log: log)) }
            }
        }

        /// Blocks of everybody but one.
        private func blocks(without id: RequestID? = nil) -> Set<BlockID> {
            Set(bench.loop.memory.requests.filter { $0.key != id }.flatMap { $0.value.table.blocks })
        }

        private func state(of request: Open) -> State? {
            switch bench.loop.scheduler.status(of: request.id)?.phase {
            case .queued: request.log.tokens.isEmpty ? .queued : .preempted
            case .prefill: .prefill
            case .decode: .decode
            case nil: nil
            }
        }

        mutating func cancel() {
            // Where there is a choice, the state that was cancelled in least.
            let groups = Dictionary(grouping: open.indices) { state(of: open[$0]) }
            let wanted = State.allCases.filter { groups[$0] != nil }.min {
                counts[$0, default: 0] < counts[$1, default: 0]
            }
            guard let wanted, let index = groups[wanted]?.randomElement(using: &random) else { return }
            let victim = open.remove(at: index)
            let rest = blocks(without: victim.id)
            #expect(bench.pool.usedBlocks == blocks().count)
            bench.loop.cancel(victim.id, now: bench.now)
            #expect(bench.pool.usedBlocks == rest.count, "\(wanted): its blocks are free before the next step")
            #expect(bench.loop.scheduler.status(of: victim.id) == nil)
            #expect(bench.loop.memory.requests[victim.id] == nil)
            cancelled.append((victim.log, victim.log.all.count))
            counts[wanted, default: 0] += 1
        }

        mutating func step() {
            bench.now += .milliseconds(20)
            bench.step()
            for request in open where request.log.finish != nil {
                let answer = PrefixHashModel.answer(to: request.prompt, count: request.max, chains: request.chains)
                #expect(request.log.tokens.map(\.id) == answer)
                checked += 1
            }
            open.removeAll { $0.log.finish != nil || $0.log.failure != nil }
        }
    }

    @Test func memoryIsFreeAtOnceAndNeighboursAreUnharmed() {
        var traffic = Traffic(random: SeededGenerator(seed: 11))
        while traffic.cancelled.count < 1_000 {
            if Int.random(in: 0..<4, using: &traffic.random) == 0 { traffic.arrive() }
            if Int.random(in: 0..<6, using: &traffic.random) == 0 { traffic.cancel() }
            traffic.step()
        }
        while !traffic.bench.loop.isIdle { traffic.step() }
        #expect(traffic.open.isEmpty && traffic.checked > 200)
        for (log, events) in traffic.cancelled { #expect(log.all.count == events, "nothing is said to the dead") }
        for state in State.allCases { #expect(traffic.counts[state, default: 0] > 50, "\(state): \(traffic.counts)") }
        #expect(traffic.bench.pool.usedBlocks == 0)
    }

    // MARK: The whole engine

    /// Holds the engine's thread in the middle of each step until it is let go on, and tells what is in it.
    private final class Gate: StepObserver {
        private let entered = DispatchSemaphore(value: 0)
        private let permitted = DispatchSemaphore(value: 0)
        private let isOpen = Atomic<Bool>(false)
        /// Steps that have begun; and, by chain count, the last of them with a request of that many chains.
        private let state = Mutex((step: 0, last: [Int: Int](), cancels: [Int](), house: 0, usedBlocks: 0))

        var step: Int { state.withLock { $0.step } }
        var cancels: [Int] { state.withLock { $0.cancels } }
        /// Requests, and blocks that they hold, after the last step.
        var house: (requests: Int, blocks: Int) { state.withLock { ($0.house, $0.usedBlocks) } }

        func last(withChains chains: Int) -> Int { state.withLock { $0.last[chains, default: 0] } }

        func pass(_ batch: Batch) {
            state.withLock { state in
                state.step += 1
                for segment in batch.segments { state.last[segment.chains] = state.step }
            }
            guard !isOpen.load(ordering: .sequentiallyConsistent) else { return }
            entered.signal()
            permitted.wait()
        }

        /// Waits until a step is in the middle.
        func waitForStep() -> Bool { entered.wait(timeout: .now() + 60) == .success }

        /// Ends the step and waits until the next is in the middle.
        func advance() -> Bool {
            permitted.signal()
            return waitForStep()
        }

        func open() {
            isOpen.store(true, ordering: .sequentiallyConsistent)
            permitted.signal()
        }

        func observe(_ report: StepReport) {
            state.withLock { state in
                state.house = report.running + report.waiting
                state.usedBlocks = report.usedBlocks
            }
        }

        func observeCancel(afterSteps steps: Int) { state.withLock { $0.cancels.append(steps) } }
    }

    private final class GatedModel: LanguageModel {
        private let base = PrefixHashModel()
        private let gate: Gate

        init(_ gate: Gate) { self.gate = gate }

        var chainCount: Int { base.chainCount }

        func forward(_ batch: Batch, cache: BlockPool) -> Logits {
            gate.pass(batch)
            return base.forward(batch, cache: cache)
        }
    }

    /// Asks again whenever it has its answer, until it is stopped.
    private final class Neighbour: GenerationReceiver {
        private let engine: InferenceEngine
        private let number: Int
        private let state = Mutex((round: 0, tokens: [TokenID](), wrong: 0, isStopped: false))

        init(_ engine: InferenceEngine, _ number: Int) {
            self.engine = engine
            self.number = number
        }

        /// Whether it had answers, and all of them were right.
        var isContent: Bool { state.withLock { $0.round > 0 && $0.wrong == 0 } }

        func stop() { state.withLock { $0.isStopped = true } }

        func ask(_ round: Int = 0) {
            engine.submit(CancelTests.request("n\(number)-\(round)", words(round), max: 20, chains: 1), to: self)
        }

        private func words(_ round: Int) -> [TokenID] { prompt(3 + round % 5, from: number) }

        func receive(_ events: [GenerationEvent]) {
            for event in events {
                switch event {
                case .token(let token): state.withLock { $0.tokens.append(token.id) }
                case .finished: finish()
                case .admitted, .promptLogprobs, .failed: break
                }
            }
        }

        private func finish() {
            let next: Int? = state.withLock { state in
                let expected = PrefixHashModel.answer(to: words(state.round), count: 20, chains: 1)
                if state.tokens != expected { state.wrong += 1 }
                state.tokens = []
                state.round += 1
                return state.isStopped ? nil : state.round
            }
            if let next { ask(next) }
        }
    }

    private static func request(_ id: RequestID, _ words: [TokenID], max: Int, chains: Int) -> GenerationRequest {
        GenerationRequest(
            id: id,
            prompt: words,
            maxTokens: max,
            chains: .fixed(chains),
            sampling: SamplingParameters(temperature: 0, seed: 0)
        )
    }

    private func makeEngine(_ gate: Gate, outbox: DispatchQueue) -> InferenceEngine {
        var options = InferenceEngine.Options(
            limits: SchedulerLimits(
                running: 4,
                queued: 100,
                stepTokens: 16,
                poolBlocks: 64,
                blockTokens: 16,
                chains: 4
            ),
            sessions: .init(count: 4, timeToLive: .seconds(60)),
            contextLength: 1024
        )
        options.calibrationTime = .zero
        options.observer = gate
        return InferenceEngine(
            runtime: ModelRuntime(model: GatedModel(gate), pool: PrefixHashModel.makePool(blocks: 64)),
            options: options,
            outbox: outbox
        )
    }

    /// With its thread and its inbox: a cancel that comes while a step runs is the end from the next step on.
    @Test func nothingOutlivesTheStepThatRuns() throws {
        let gate = Gate(), outbox = DispatchQueue(label: "test.outbox")
        let engine = makeEngine(gate, outbox: outbox)
        var random = SeededGenerator(seed: 12)
        // They have three of the four places, and all of them in the end.
        let neighbours = (0..<4).map { Neighbour(engine, $0) }
        for neighbour in neighbours.dropLast() { neighbour.ask() }
        try #require(gate.waitForStep())
        var counts: [State: Int] = [:]
        var cancelled: [(log: EventLog, events: Int)] = []
        for number in 0..<1_000 {
            if number == 700 { neighbours[3].ask() }
            // Two that follow each other can be told apart.
            let chains = 2 + number % 2
            let victim = EventLog()
            let words = prompt(.random(in: 1...100, using: &random))
            let start = gate.step
            engine.submit(Self.request("v\(number)", words, max: 900, chains: chains), to: victim)
            for _ in 0..<Int.random(in: 0...12, using: &random) { try #require(gate.advance()) }
            outbox.sync {}
            let step = gate.step
            let state: State =
                !victim.tokens.isEmpty ? .decode : gate.last(withChains: chains) > start ? .prefill : .queued
            engine.cancel("v\(number)")
            try #require(gate.advance())
            #expect(gate.last(withChains: chains) <= step, "\(state), cancelled during step \(step)")
            // Idle is never: the step that ran has ended, and no other.
            #expect(gate.cancels.count == number + 1 && gate.cancels.last == 1)
            outbox.sync {}
            cancelled.append((victim, victim.all.count))
            counts[state, default: 0] += 1
        }
        for neighbour in neighbours { neighbour.stop() }
        let ended = DispatchSemaphore(value: 0)
        engine.whenEnded(queue: .global()) { ended.signal() }
        gate.open()
        engine.drain()
        #expect(ended.wait(timeout: .now() + 60) == .success)
        for (log, events) in cancelled {
            #expect(log.all.count == events && log.finish == nil && log.failure == nil, "nothing is said to the dead")
        }
        for neighbour in neighbours { #expect(neighbour.isContent) }
        #expect(gate.house == (0, 0))
        for state in [State.queued, .prefill, .decode] { #expect(counts[state, default: 0] > 50, "\(counts)") }
    }
}
