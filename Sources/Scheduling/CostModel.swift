/// The time of a step from its shape: calibrated on the running machine, then corrected by every step that was run.
///
/// ```
/// seconds = s_d(rows) (first(rows) + sum over i of tier_i(rows with >= i chains) + a . context)
///         + s_p (first(rows + silent) - first(rows) + a . silent context)
/// ```
/// It is the closed form of the ragged batch (docs/chains.md): a tier's first row pays for reading the tier's weights, more
/// rows ride along until multiplying takes longer. `s_d` and `s_p` follow what the machine does: another program on
/// its processors, a clock that falls, and in a crowd the server's own connections.
public struct CostModel: Sendable, Hashable {
    /// Chain 1's layers and what a step costs by itself, for all rows.
    public var first: CostCurve
    /// Position 0: chain 1's head, and drawing a token. Position `i - 1`: layers and head of chain `i`.
    public var tiers: [CostCurve]
    /// Seconds for one position that one chain's query heads look at.
    public var attention: Double
    /// How much slower than calibrated the machine is now for silent rows, and for rows with logits: by octaves of their
    /// number, 1, 2 and 3, 4 to 7, to 128 and more. Where many requests run the connections take time from the steps, so what was
    /// learned of such steps is kept for the next crowd.
    public private(set) var silentScale = 1.0
    private var scales = SIMD8<Double>(repeating: 1)

    public init(first: CostCurve, tiers: [CostCurve], attention: Double) {
        self.first = first
        self.tiers = tiers
        self.attention = attention
    }

    /// A model for tests and for the time before calibration: a millisecond a chain, and ten microseconds a row.
    public static func flat(chains: Int) -> CostModel {
        CostModel(
            first: CostCurve(fixed: 1e-3, each: 1e-5),
            tiers: (0..<chains).map { CostCurve(fixed: $0 == 0 ? 0 : 1e-3, each: 1e-5) },
            attention: 0
        )
    }

    // MARK: Prediction

    /// How much slower than calibrated a step of so many rows with logits is.
    public func scale(rows: Int) -> Double { scales[Self.octave(rows)] }

    private static func octave(_ rows: Int) -> Int {
        min(Int.bitWidth - 1 - max(1, rows).leadingZeroBitCount, SIMD8<Double>.scalarCount - 1)
    }

    /// Seconds of a step.
    public func seconds(_ shape: StepShape) -> Double {
        rowSeconds(shape) + silentSeconds(shape)
    }

    /// The part of the rows with logits.
    public func rowSeconds(_ shape: StepShape) -> Double {
        guard shape.rows > 0 else { return 0 }
        var seconds = first.seconds(rows: shape.rows) + attention * Double(shape.context)
        for (tier, rows) in shape.tiers.enumerated() where rows > 0 { seconds += tiers[tier].seconds(rows: rows) }
        return scale(rows: shape.rows) * seconds
    }

    /// What a step takes longer when more of its rows get a tier.
    ///
    /// - Parameters:
    ///   - added: rows that get it; `given` ones have it.
    ///   - tier: from 1.
    ///   - context: positions that the added rows look at.
    ///   - rows: of the step.
    func seconds(adding added: Int, to given: Int, tier: Int, context: Int, of rows: Int) -> Double {
        let curve = tiers[tier - 1]
        let before = given > 0 ? curve.seconds(rows: given) : 0
        return scale(rows: rows) * (curve.seconds(rows: given + added) - before + attention * Double(context))
    }

    /// What the silent rows add.
    public func silentSeconds(_ shape: StepShape) -> Double {
        guard shape.silent.count > 0 else { return 0 }
        let shared = shape.rows > 0 ? first.seconds(rows: shape.rows) : 0
        let rows = first.seconds(rows: shape.rows + shape.silent.count) - shared
        return silentScale * (rows + attention * Double(shape.silent.context))
    }

    /// Seconds of one decoding step of `rows` requests, all at `chains` chains and about `position` tokens long.
    public func decodeSeconds(rows: Int, chains: Int, position: Int) -> Double {
        var seconds = first.seconds(rows: rows) + attention * Double(rows * chains * position)
        for tier in 0..<chains { seconds += tiers[tier].seconds(rows: rows) }
        return scale(rows: rows) * seconds
    }

    /// Seconds of the machine that a token takes at `k` chains, position `k - 1`, in batches of `rows` requests about `position`
    /// tokens long.
    public func tokenSeconds(rows: Int, position: Int) -> [Double] {
        (1...tiers.count).map { tokenSeconds(rows: rows, chains: $0, position: position) }
    }

    /// The same for one size.
    func tokenSeconds(rows: Int, chains: Int, position: Int) -> Double {
        var seconds = first.seconds(rows: rows) / Double(rows)
        for tier in 0..<chains {
            seconds += tiers[tier].seconds(rows: rows) / Double(rows) + attention * Double(position)
        }
        return scale(rows: rows) * seconds
    }

    /// Seconds that the silent rows of prompts take, beside other work, `chunk` tokens at a time.
    public func prefillSeconds(_ prompts: SilentRows, chunk: Int) -> Double {
        guard prompts.count > 0 else { return 0 }
        let chunk = max(1, min(chunk, prompts.count))
        return silentScale
            * (first.seconds(rows: chunk) * Double(prompts.count) / Double(chunk)
                + attention * Double(prompts.context))
    }

    /// The same for one prompt of `tokens`.
    public func prefillSeconds(tokens: Int, chunk: Int) -> Double {
        prefillSeconds(SilentRows(start: 0, count: tokens), chunk: chunk)
    }

    // MARK: Correction

    /// How fast corrections follow: a step moves them by this share of its error.
    private static let gain = 1.0 / 16
    /// A step draws the scales of other numbers of rows this much nearer to its own: so none is far from what the machine does
    /// now, and one that was learned of a crowd outlasts some thousand steps of few.
    private static let pull = 1.0 / 4096
    /// A step may have been interrupted: an error beyond this factor counts as this factor.
    private static let clip = 2.0
    /// No machine is further from its own calibration for longer than a moment.
    private static let bounds = 0.25...8.0

    /// Learns from a step that was run.
    public mutating func observe(_ shape: StepShape, seconds measured: Double) {
        let rows = rowSeconds(shape), silent = silentSeconds(shape)
        guard rows + silent > 0, measured > 0 else { return }
        let ratio = min(max(measured / (rows + silent), 1 / Self.clip), Self.clip)
        // Each scale learns as far as the step was its own.
        let share = rows / (rows + silent)
        let move = Self.gain * (ratio - 1)
        let octave = Self.octave(shape.rows)
        let scale = Self.clamped(scales[octave] * (1 + share * move))
        scales += share * Self.pull * (SIMD8(repeating: scale) - scales)
        scales[octave] = scale
        silentScale = Self.clamped(silentScale * (1 + (1 - share) * move))
    }

    private static func clamped(_ scale: Double) -> Double {
        min(max(scale, bounds.lowerBound), bounds.upperBound)
    }
}
