import Core
import TestSupport
import Testing

@testable import Engine

/// Everything at once in a pool that is too small: shared prefixes, samples, sessions, changes, cancellations.
@Suite struct StepTrafficTests {
    private struct Open {
        var id: RequestID
        var prompt: [TokenID]
        var max: Int
        var log: EventLog
    }

    private struct Traffic {
        var bench = Bench(blocks: 18, running: 5, queued: 6, stepTokens: 20, sessions: 4, sharesPrefixes: true)
        var random: SeededGenerator
        var open: [Open] = []
        var checked = 0
        var cached = 0

        private mutating func pick(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

        mutating func arrive() {
            let session = pick(0...2) == 0 ? "s\(pick(0...5))" : nil
            // Beginnings repeat, from the vocabulary's start or from a session.
            var words = session.flatMap { bench.directory[$0]?.tokens } ?? prompt(40, from: pick(1...2))
            words = Array(words.prefix(pick(0...60))) + prompt(pick(1...20), from: pick(0...60))
            let max = pick(1...60), samples = pick(0...3) == 0 ? 3 : 1
            var leader: RequestID?
            for _ in 0..<samples {
                let (id, log) = bench.submit(
                    words,
                    max: max,
                    chains: Bool.random(using: &random) ? nil : pick(1...4),
                    session: samples == 1 ? session : nil,
                    priority: pick(0...1),
                    salt: nil,
                    leader: leader
                )
                leader = leader ?? id
                open.append(Open(id: id, prompt: words, max: max, log: log))
            }
        }

        mutating func disturb() {
            guard let index = open.indices.randomElement(using: &random) else { return }
            if pick(0...2) == 0 {
                bench.loop.cancel(open.remove(at: index).id, now: bench.now)
            } else {
                let change = RequestChange(chains: .fixed(pick(1...4)), received: bench.now)
                bench.loop.change(open[index].id, to: change) { _ in }
            }
        }

        mutating func step() {
            bench.now += .milliseconds(20)
            bench.step()
            for request in open where request.log.finish != nil {
                #expect(request.log.tokens.count == request.max)
                #expect(PrefixHashModel.isAnswer(request.log.tokens, to: request.prompt))
                checked += 1
                cached += request.log.admission?.cachedTokens ?? 0
            }
            open.removeAll { $0.log.finish != nil || $0.log.failure != nil }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func everyAnswerIsRightAndNothingLeaks(seed: UInt64) {
        var traffic = Traffic(random: SeededGenerator(seed: seed))
        for _ in 0..<1_500 {
            if Int.random(in: 0..<8, using: &traffic.random) == 0 { traffic.arrive() }
            if Int.random(in: 0..<15, using: &traffic.random) == 0 { traffic.disturb() }
            traffic.step()
        }
        while !traffic.bench.loop.isIdle { traffic.step() }
        #expect(traffic.open.isEmpty)
        #expect(traffic.checked > 60 && traffic.cached > 500)
        #expect(traffic.bench.loop.scheduler.preemptions > 0)
        traffic.bench.now += .seconds(61)
        traffic.bench.step()
        #expect(traffic.bench.pool.usedBlocks == 0)
    }
}
