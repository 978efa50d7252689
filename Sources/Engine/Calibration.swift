import Core
import Scheduling

/// Measures a cost model on the running machine: a few steps of known shapes, through the whole step loop, so that what
/// surrounds the forward pass is in it.
///
/// The coarse points come first and each shape is run a few times; when the time is up, what is there must do: the curves
/// join their points by lines, and every later step corrects them.
struct Calibration {
    private let limits: SchedulerLimits
    private let contextLength: Int
    private let clock: () -> ContinuousClock.Instant
    private let end: ContinuousClock.Instant
    private var count = 0
    /// `[k - 1][rows]`: seconds of a step of that many rows at `k` chains.
    private var decode: [[Int: Double]]
    /// `[rows]`: seconds of a step of silent rows.
    private var silent: [Int: Double] = [:]
    private var attention: Double?

    /// How often a shape is run, the first time aside; the fastest counts, for noise only adds.
    private static let repeats = 3

    /// - Parameters:
    ///   - contextLength: the most tokens of a sequence.
    ///   - time: how long it may take, about.
    init(
        limits: SchedulerLimits,
        contextLength: Int,
        time: Duration,
        clock: @escaping () -> ContinuousClock.Instant
    ) {
        self.limits = limits
        self.contextLength = contextLength
        self.clock = clock
        end = clock() + time
        decode = Array(repeating: [:], count: limits.chains)
    }

    /// Runs the steps. The loop must be idle and share no prefixes; it is idle again afterwards, and its blocks are free.
    mutating func run(_ loop: inout StepLoop) -> CostModel {
        let most = min(limits.running, limits.poolBlocks)
        warmUp(&loop)
        for rows in Self.rows(upTo: most) {
            // A row count is of use only with all its chain counts.
            guard rows == 1 || rows == most || clock() < end else { break }
            for chains in 1...limits.chains { decode[chains - 1][rows] = seconds(&loop, rows: rows, chains: chains) }
        }
        let longest = min(limits.stepTokens, limits.poolBlocks * limits.blockTokens, contextLength)
        for rows in Self.rows(upTo: longest) where rows == 1 || rows == longest || clock() < end {
            silent[rows] = seconds(&loop, silent: rows)
        }
        attention = attentionSeconds(&loop)
        return model
    }

    /// The largest, the smallest, then what lies between.
    private static func rows(upTo most: Int) -> [Int] {
        [1, most] + [8, 4, 16, 2, 64, 32, 128].filter { $0 > 1 && $0 < most }
    }

    /// No tier is free: it takes at least this share of the step without it, whatever a busy machine made of the measurements.
    private static let leastShare = 1.0 / 32

    private var model: CostModel {
        func curve(_ seconds: [Int: Double]) -> CostCurve {
            CostCurve(seconds.map { .init(rows: $0.key, seconds: $0.value) })
        }
        let settled = Self.settled([silent] + decode)
        let first = curve(settled[0])
        var tiers: [CostCurve] = []
        for chains in 1...limits.chains {
            tiers.append(
                curve(
                    Dictionary(
                        uniqueKeysWithValues: settled[chains].map { rows, seconds in
                            let below = settled[chains - 1][rows] ?? first.seconds(rows: rows)
                            return (rows, max(Self.leastShare * below, seconds - below))
                        }
                    )
                )
            )
        }
        return CostModel(first: first, tiers: tiers, attention: attention ?? 0)
    }

    /// Another program only adds to the time of a step, and neither more chains nor more rows make one shorter: so no shape
    /// takes longer than any larger one did.
    ///
    /// - Parameter sizes: seconds by rows; a size does all that those before it do, and more.
    private static func settled(_ sizes: [[Int: Double]]) -> [[Int: Double]] {
        var settled = sizes
        for (size, seconds) in sizes.enumerated() {
            for (rows, own) in seconds {
                let larger = sizes[size...].joined().filter { $0.key >= rows }
                settled[size][rows] = larger.reduce(own) { min($0, $1.value) }
            }
        }
        return settled
    }

    // MARK: Shapes

    private mutating func warmUp(_ loop: inout StepLoop) {
        _ = seconds(&loop, rows: 1, chains: limits.chains)
    }

    /// A step of `rows` rows that want logits, near the start of their sequences.
    private mutating func seconds(_ loop: inout StepLoop, rows: Int, chains: Int) -> Double {
        let ids = (0..<rows).map { _ in submit(&loop, prompt: 1, max: Self.repeats + 2, chains: chains) }
        defer { for id in ids { loop.cancel(id, now: clock()) } }
        return fastest(&loop)
    }

    /// A step of `rows` rows that want none.
    private mutating func seconds(_ loop: inout StepLoop, silent rows: Int) -> Double {
        var best = Double.infinity
        for _ in 0..<(clock() < end ? Self.repeats : 1) {
            let id = submit(&loop, prompt: rows, max: 0, chains: 1)
            best = min(best, time(&loop))
            loop.cancel(id, now: clock())
        }
        return best
    }

    /// What a position costs that one chain's query heads look at: one row far into its sequence, against one at the start.
    private mutating func attentionSeconds(_ loop: inout StepLoop) -> Double? {
        let most = min(limits.poolBlocks * limits.blockTokens, contextLength)
        let room = min(most - Self.repeats - 2, limits.stepTokens * 4, 1024)
        guard room > 64, let near = decode[limits.chains - 1][1] else { return nil }
        let id = submit(&loop, prompt: room, max: Self.repeats + 2, chains: limits.chains)
        defer { loop.cancel(id, now: clock()) }
        while let status = loop.scheduler.status(of: id), status.generatedTokens == 0 { loop.step(now: clock()) }
        return max(0, fastest(&loop) - near) / Double(room * limits.chains)
    }

    // MARK: Steps

    private func fastest(_ loop: inout StepLoop) -> Double {
        loop.step(now: clock())
        var best = time(&loop)
        for _ in 1..<Self.repeats where clock() < end { best = min(best, time(&loop)) }
        return best
    }

    private func time(_ loop: inout StepLoop) -> Double {
        let start = clock()
        loop.step(now: start)
        return (clock() - start) / .seconds(1)
    }

    private mutating func submit(_ loop: inout StepLoop, prompt: Int, max: Int, chains: Int) -> RequestID {
        count += 1
        let id = RequestID.next()
        loop.submit(
            GenerationRequest(
                id: id,
                prompt: (0..<prompt).map { TokenID(($0 + count) % 2) },
                maxTokens: max,
                chains: .fixed(chains),
                sampling: SamplingParameters(temperature: 1, seed: UInt64(count)),
                arrival: clock()
            ),
            to: Nobody.shared,
            now: clock()
        )
        return id
    }
}

/// Nobody waits for the answers of a calibration.
private final class Nobody: GenerationReceiver {
    static let shared = Nobody()

    func receive(_ events: [GenerationEvent]) {}
}
