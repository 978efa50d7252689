import LoadTesting
import Scheduling
import TestSupport
import Testing

@testable import Simulation

@Suite struct ForesightTests {
    private func met(_ jobs: [(release: Double, due: Double, work: Double)]) -> Int {
        Foresight(jobs.map { Foresight.Job(release: $0.release, due: $0.due, work: $0.work) }).met
    }

    @Test func whatFitsIsMet() {
        #expect(met([]) == 0)
        #expect(met([(0, 1, 1), (1, 2, 1), (5, 7, 2)]) == 3)
        #expect(met([(0, .infinity, 100), (0, 1, 1)]) == 2)
    }

    @Test func ofABurstAsManyAsTheirTimeHolds() {
        #expect(met((0..<10).map { _ in (3, 7.5, 1) }) == 4)
        // Whoever comes behind it finds the machine free again.
        #expect(met((0..<10).map { _ in (3, 7.5, 1) } + [(7, 9, 2)]) == 5)
    }

    @Test func theUrgentInterruptsTheOthers() {
        #expect(met([(0, 10, 8), (1, 3, 2)]) == 2)
    }

    @Test func theLargestIsLeftOut() {
        #expect(met([(0, 10, 9), (1, 10, 3), (2, 10, 3), (3, 10, 3)]) == 3)
    }

    /// Requests of one length and one budget: no choice is better than the best of all.
    @Test func withEqualLengthsNobodyCanMeetMore() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<300 {
            let jobs = jobs(&random, unequal: false)
            #expect(Foresight(jobs).met == best(jobs))
        }
    }

    @Test func withUnequalLengthsItIsNeverMoreThanCanBe() {
        var random = SeededGenerator(seed: 4)
        var lost = 0
        for _ in 0..<300 {
            let jobs = jobs(&random, unequal: true), met = Foresight(jobs).met, best = best(jobs)
            #expect(met <= best && met >= best - 2)
            lost += best - met
        }
        #expect(lost < 60)
    }

    /// The machine and the scheduler of the simulator do no better.
    @Test(arguments: [2.0, 8.0]) func noPolicyIsAbove(variation: Double) throws {
        let limits = SchedulerLimits(
            running: 16,
            queued: 200,
            stepTokens: 128,
            poolBlocks: 4000,
            blockTokens: 16,
            chains: 1
        )
        let cost = CostModel(
            first: CostCurve([
                .init(rows: 1, seconds: 1e-3), .init(rows: 16, seconds: 2e-3), .init(rows: 128, seconds: 9e-3),
            ]),
            tiers: [CostCurve(fixed: 1e-4, each: 1e-5)],
            attention: 1e-8
        )
        for load in [0.8, 1.1] {
            let workload = try Workload(
                ArrivalProcess(gaps: .gamma(squaredVariation: variation), rate: .constant(1)),
                prompt: .uniform(8...64),
                output: .uniform(40...120),
                until: .requests(1500),
                seed: 7
            ).scaled(toRate: load * 80)
            let allowed = LatencyLimits(total: 0.6)
            let foresight = Foresight(workload, cost: cost, limits: limits) { _ in allowed }
            let result = Simulator.run(workload, .init(limits: limits, policy: .fixed(1), cost: cost)) { _ in allowed }
            let met = result.outcomes.count { $0.isMet == true }
            #expect(met <= foresight.met && foresight.met <= 1500)
            #expect(met > foresight.met / 2)
        }
    }

    @Test func whatIsTooShortEvenAloneCannotBeMet() {
        let cost = CostModel(first: CostCurve(fixed: 1, each: 0), tiers: [CostCurve(fixed: 0, each: 0)], attention: 0)
        let limits = SchedulerLimits(
            running: 8,
            queued: 8,
            stepTokens: 8,
            poolBlocks: 100,
            blockTokens: 16,
            chains: 1
        )
        let workload = Workload(arrivals: [Arrival(time: 0, promptTokens: 1, outputTokens: 10)], duration: 1)
        let allowed = [9.9, 10.1].map { seconds in
            Foresight(workload, cost: cost, limits: limits) { _ in LatencyLimits(total: seconds) }.met
        }
        #expect(allowed == [0, 1])
    }

    // MARK: Against every choice

    private func jobs(_ random: inout SeededGenerator, unequal: Bool) -> [Foresight.Job] {
        let releases = (0..<9).map { _ in Double.random(in: 0...6, using: &random) }.sorted()
        return releases.map { release in
            let work = unequal ? Double.random(in: 0.2...2, using: &random) : 1
            return Foresight.Job(release: release, due: release + 2.5 * (unequal ? max(work, 0.5) : 1), work: work)
        }
    }

    /// The most jobs of which none is late if they go by deadlines.
    private func best(_ jobs: [Foresight.Job]) -> Int {
        (0..<(1 << jobs.count)).reduce(0) { best, choice in
            guard choice.nonzeroBitCount > best else { return best }
            return isFeasible(jobs.indices.filter { choice >> $0 & 1 == 1 }.map { jobs[$0] })
                ? choice.nonzeroBitCount : best
        }
    }

    /// Whether the work between any release and any deadline fits between them, which is enough (Horn, 1974).
    private func isFeasible(_ jobs: [Foresight.Job]) -> Bool {
        jobs.allSatisfy { from in
            jobs.allSatisfy { to in
                let inside = jobs.filter { $0.release >= from.release && $0.due <= to.due }
                return inside.reduce(0) { $0 + $1.work } <= to.due - from.release + 1e-12 || inside.isEmpty
            }
        }
    }
}
