// What a run of the benchmark found: plain values, with their shares of the machine's limits.

/// All figures of one run, in the order they are shown.
public struct BenchReport: Sendable {
    /// What ran.
    public struct Subject: Sendable {
        /// The folder, or the shape.
        public var name = ""
        /// `bf16` for example.
        public var dtype = ""
        public var kernels = ""
        public var threads = 1
        public var chains: [Int] = []
        /// Bytes of weights that a decode step of 1...n chains reads.
        public var decodeBytes: [Double] = []
        /// Parameters that it multiplies.
        public var parameters: [Int] = []
    }

    /// A rate of the machine, for one thread and for all.
    public struct Limit: Sendable {
        public var name: String
        /// Bytes or operations a second; nil where the processor cannot do it.
        public var oneThread: Double?
        public var allThreads: Double?
    }

    public struct Prefill: Sendable {
        public var tokens: Int
        public var seconds: Double
        /// Operations needed a second, over the dot-product peak.
        public var shareOfPeak: Double
        /// The closed form's time over this.
        public var shareOfClosedForm: Double

        public var tokensPerSecond: Double { Double(tokens) / seconds }
    }

    public struct FirstToken: Sendable {
        public var chains: Int
        public var tokens: Int
        public var seconds: Double
        public var shareOfClosedForm: Double
    }

    public struct Decode: Sendable {
        public var chains: Int
        public var rows: Int
        /// Of a step.
        public var seconds: Double
        /// Bytes of weights a step reads.
        public var weightBytes: Double
        /// Read bandwidth right before and after.
        public var bandwidthBefore: Double
        public var bandwidthAfter: Double
        public var shareOfClosedForm: Double

        public var tokensPerSecond: Double { Double(rows) / seconds }
        public var weightBytesPerSecond: Double { weightBytes / seconds }
        /// Weight bytes a second over the better of the two bandwidths.
        public var shareOfBandwidth: Double { weightBytesPerSecond / bandwidth }
        public var bandwidth: Double { max(bandwidthBefore, bandwidthAfter) }
    }

    /// A step of rows with different chain counts.
    public struct Mixed: Sendable {
        /// Chains of each row.
        public var rows: [Int]
        public var seconds: Double
        public var closedFormSeconds: Double
    }

    /// Prefill against a dense model of the same width.
    public struct Dense: Sendable {
        public var tokens: Int
        public var seconds: Double
        public var denseSeconds: Double
        /// By the closed form, in operations.
        public var expectedSpeedUp: Double

        public var speedUp: Double { denseSeconds / seconds }
    }

    /// What the engine adds to the forward pass, one row.
    public struct Overhead: Sendable {
        public var chains: Int
        /// Of a whole step, forward pass included.
        public var stepSeconds: Double
        /// From the end of one forward pass to the start of the next.
        public var outsideSeconds: Double

        public var share: Double { outsideSeconds / stepSeconds }
    }

    public struct Memory: Sendable {
        /// As the kernel counts it: pages of this process in memory, of these those of files, and those of its own.
        public var resident: Int
        public var file: Int
        public var anonymous: Int
        /// Bytes of weights of the chains loaded.
        public var weights: Int
        /// Bytes of the KV pool.
        public var pool: Int

        /// What is neither weights nor KV pool.
        public var rest: Int { resident - weights - pool }
    }

    /// With another process that keeps one processor busy.
    public struct Contended: Sendable {
        public var name: String
        public var quietTokensPerSecond: Double
        public var contendedTokensPerSecond: Double

        public var share: Double { contendedTokensPerSecond / quietTokensPerSecond }
    }

    public var subject = Subject()
    public var bandwidths: [Limit] = []
    public var peaks: [Limit] = []
    public var prefill: [Prefill] = []
    public var firstToken: [FirstToken] = []
    public var decode: [Decode] = []
    public var mixed: Mixed?
    public var dense: Dense?
    public var overhead: [Overhead] = []
    public var memory: Memory?
    public var contended: [Contended] = []

    public init() {}
}
