import Core
import Testing

@testable import Engine

/// Requests that begin alike share the keys and values of their first tokens.
@Suite struct PrefixSharingTests {
    @Test func fullBlocksAreFoundAtAnyChainCount() {
        var bench = Bench(sharesPrefixes: true)
        let first = prompt(40) + prompt(7, from: 50), second = prompt(40) + prompt(9, from: 20)
        _ = bench.submit(first, max: 5, chains: 4)
        bench.runUntilIdle()
        #expect(bench.pool.usedBlocks == 0 && bench.pool.cachedBlocks > 0)
        let before = bench.model.computedTokens
        let (_, log) = bench.submit(second, max: 6, chains: 2)
        bench.runUntilIdle()
        #expect(log.admission?.cachedTokens == 32)
        #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: second, count: 6, chains: 2))
        #expect(bench.model.computedTokens - before == 49 - 32 + 5)
    }

    @Test func requestsThatRunAtOnceShareToo() {
        var bench = Bench(stepTokens: 64, sharesPrefixes: true)
        let left = bench.submit(prompt(40) + [1], max: 20, chains: 3)
        bench.step()
        let right = bench.submit(prompt(40) + [2], max: 20, chains: 1)
        bench.step()
        // Two blocks are shared, and each has one of its own.
        #expect(bench.pool.usedBlocks == 4)
        bench.runUntilIdle()
        #expect(right.log.admission?.cachedTokens == 32)
        #expect(left.log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(40) + [1], count: 20, chains: 3))
        #expect(right.log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(40) + [2], count: 20, chains: 1))
    }

    @Test func saltsKeepTenantsApart() {
        var bench = Bench(sharesPrefixes: true)
        var cached: [Int?] = []
        for salt in ["a", "b", nil, "a", "b", nil] {
            let (_, log) = bench.submit(prompt(40), max: 3, salt: salt)
            bench.runUntilIdle()
            cached.append(log.admission?.cachedTokens)
            #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(40), count: 3, chains: 4))
        }
        #expect(cached == [0, 0, 0, 32, 32, 32])
    }

    @Test func aSessionOfAnotherSaltIsNotUsed() {
        var bench = Bench(sharesPrefixes: true)
        _ = bench.submit(prompt(40), session: "s", salt: "a")
        bench.runUntilIdle()
        let (_, other) = bench.submit(prompt(40), session: "s", salt: "b")
        bench.runUntilIdle()
        #expect(other.admission?.cachedTokens == 0)
    }

    @Test func withoutSharingNothingIsFound() {
        var bench = Bench(sharesPrefixes: false)
        for _ in 0..<2 {
            let (_, log) = bench.submit(prompt(40))
            bench.runUntilIdle()
            #expect(log.admission?.cachedTokens == 0)
        }
        #expect(bench.pool.cachedBlocks == 0)
    }

    // MARK: Samples of one prompt

    @Test(arguments: [false, true]) func samplesShareTheirPromptsBlocks(sharesPrefixes: Bool) {
        var bench = Bench(sharesPrefixes: sharesPrefixes)
        let leader = bench.submit(prompt(40), chains: 1)
        var logs = [leader.log]
        for chains in 2...4 { logs.append(bench.submit(prompt(40), chains: chains, leader: leader.id).log) }
        var most = 0
        while !bench.loop.isIdle {
            bench.step()
            most = max(most, bench.pool.usedBlocks)
        }
        // Two full blocks for all, and the third one copied for each: alone they would take twelve.
        #expect(most == 2 + 4)
        #expect(logs.map { $0.admission?.cachedTokens } == [0, 39, 39, 39])
        for (index, log) in logs.enumerated() {
            #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(40), count: 8, chains: index + 1))
        }
        #expect(bench.pool.usedBlocks == 0)
    }

    @Test func samplesOutliveTheirLeader() {
        var bench = Bench()
        let leader = bench.submit(prompt(60))
        let sample = bench.submit(prompt(60), chains: 2, leader: leader.id)
        bench.step()
        bench.loop.cancel(leader.id, now: bench.now)
        bench.runUntilIdle()
        #expect(sample.log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(60), count: 8, chains: 2))
        #expect(bench.pool.usedBlocks == 0)
    }
}
