import Core
import Dispatch
import Engine
import Foundation
import KVCache
import Scheduling
import Testing

private func makeEngine(
    queue: DispatchQueue = DispatchQueue(label: "test.outbox"),
    stepTime: Double = 0,
    calibration: Int = 0,
    sessionTime: Duration = .seconds(60)
) -> InferenceEngine {
    var options = InferenceEngine.Options(
        limits: SchedulerLimits(running: 4, queued: 1000, stepTokens: 32, poolBlocks: 64, blockTokens: 16, chains: 4),
        sessions: .init(count: 4, timeToLive: sessionTime),
        contextLength: 1024
    )
    options.calibrationTime = .milliseconds(calibration)
    return InferenceEngine(
        runtime: ModelRuntime(model: PrefixHashModel(stepTime: stepTime), pool: PrefixHashModel.makePool(blocks: 64)),
        options: options,
        outbox: queue
    )
}

private func request(_ id: RequestID, prompt: [TokenID], max: Int) -> GenerationRequest {
    GenerationRequest(
        id: id,
        prompt: prompt,
        maxTokens: max,
        chains: .fixed(4),
        sampling: SamplingParameters(temperature: 0, seed: 0)
    )
}

private func drainAndWait(_ engine: InferenceEngine) -> Bool {
    let done = DispatchSemaphore(value: 0)
    engine.whenEnded(queue: .global()) { done.signal() }
    engine.drain()
    return done.wait(timeout: .now() + 10) == .success
}

@Suite struct InferenceEngineTests {
    @Test func manyRequestsFromManyThreads() {
        let engine = makeEngine()
        let logs = (0..<100).map { _ in EventLog() }
        DispatchQueue.concurrentPerform(iterations: 100) { index in
            engine.submit(request("r\(index)", prompt: [TokenID(index % 64), 3], max: 12), to: logs[index])
        }
        for (index, log) in logs.enumerated() {
            #expect(log.waitForEnd())
            let expected = PrefixHashModel.answer(to: [TokenID(index % 64), 3], count: 12, chains: 4)
            #expect(log.tokens.map(\.id) == expected)
            #expect(log.admission?.reason == .requested)
        }
        #expect(drainAndWait(engine))
    }

    @Test func drainingFinishesWhatRunsAndRefusesTheRest() {
        let engine = makeEngine()
        let running = EventLog()
        engine.submit(request("a", prompt: [1], max: 500), to: running)
        #expect(drainAndWait(engine))
        #expect(running.tokens.count == 500 && running.finish == .length)
        let late = EventLog()
        engine.submit(request("b", prompt: [1], max: 5), to: late)
        #expect(late.waitForEnd())
        #expect(late.failure == .shuttingDown)
    }

    @Test func stoppingFailsWhatRuns() {
        // Five seconds of steps: stopping comes in the middle.
        let engine = makeEngine(stepTime: 0.005)
        let running = EventLog()
        engine.submit(request("a", prompt: [1], max: 1_000), to: running)
        engine.stop()
        #expect(running.waitForEnd())
        #expect(running.failure == .shuttingDown)
        #expect(drainAndWait(engine))
    }

    @Test func cancelledRequestsSendNothingMore() {
        let queue = DispatchQueue(label: "test.outbox")
        let engine = makeEngine(queue: queue)
        let victim = EventLog()
        engine.submit(request("victim", prompt: [1], max: 900), to: victim)
        engine.cancel("victim")
        engine.cancel("unknown")
        let other = EventLog()
        engine.submit(request("other", prompt: [2], max: 5), to: other)
        #expect(other.waitForEnd())
        #expect(drainAndWait(engine))
        #expect(victim.finish == nil && victim.failure == nil)
        #expect(other.tokens.count == 5)
    }

    /// An idle engine runs no step by itself; it looks when it is told to.
    @Test func idleSessionsAreForgottenWhenToldToLook() {
        let engine = makeEngine(sessionTime: .milliseconds(1))
        let log = EventLog()
        var wish = request("a", prompt: [1, 2, 3], max: 4)
        wish.sessionID = "s"
        engine.submit(wish, to: log)
        #expect(log.waitForEnd())
        var tries = 0
        // The store looks at most once a second.
        while !engine.sessions().isEmpty && tries < 100 {
            Thread.sleep(forTimeInterval: 0.05)
            engine.tidySessions { _ in }
            tries += 1
        }
        #expect(engine.sessions().isEmpty)
        #expect(drainAndWait(engine))
    }
}
