// A session's tokens with their keys and values, as one run of bytes that outlives the process.

import Tensor

/// A session to be written, or one that was read: pure values, independent of any pool.
///
/// ```swift
/// let bytes = snapshot.encoded()
/// let same = try KVSnapshot(decoding: bytes, as: expectation)  // or an error that says why not
/// ```
///
/// What does not fit the model, the cache's shape or the asking session to the last byte is refused, never used: keys and
/// values of other weights would give fluent nonsense.
///
/// docs/kv-layout.md has the format byte by byte. The chain count is no part of it: the same bytes serve every size.
public struct KVSnapshot: Sendable, Hashable {
    /// The version that is written and the only one that is read.
    public static let formatVersion: UInt32 = 2

    /// The session's name.
    public var name: String
    /// The tenant's salt in the prefix index.
    public var salt: String?
    /// Fingerprint of the weights that computed the keys and values.
    public var model: String
    public var layout: BlockLayout
    /// When the snapshot was taken, in seconds since 1970.
    public var created: Int64
    /// All tokens of the session. The last ones may have no keys and values yet.
    public var tokens: [Int32]
    /// How many of the tokens have keys and values.
    public var computedTokens: Int
    /// The blocks of the computed tokens in order, `layout.blocks(for: computedTokens)` of them. A decoded snapshot shares
    /// the memory of what it was decoded from.
    public var blocks: SharedBytes

    public init(
        name: String,
        salt: String?,
        model: String,
        layout: BlockLayout,
        created: Int64,
        tokens: [Int32],
        computedTokens: Int,
        blocks: SharedBytes
    ) {
        precondition(computedTokens >= 0 && computedTokens <= tokens.count)
        precondition(blocks.count == layout.blocks(for: computedTokens) * layout.blockBytes)
        self.name = name
        self.salt = salt
        self.model = model
        self.layout = layout
        self.created = created
        self.tokens = tokens
        self.computedTokens = computedTokens
        self.blocks = blocks
    }

    /// What a snapshot must be to be used.
    public struct Expectation: Sendable, Hashable {
        public var name: String
        public var salt: String?
        public var model: String
        public var layout: BlockLayout
        /// Token ids are below this.
        public var vocabularySize: Int
        /// The most tokens that a session can have.
        public var maxTokens: Int

        public init(
            name: String,
            salt: String?,
            model: String,
            layout: BlockLayout,
            vocabularySize: Int,
            maxTokens: Int
        ) {
            self.name = name
            self.salt = salt
            self.model = model
            self.layout = layout
            self.vocabularySize = vocabularySize
            self.maxTokens = maxTokens
        }
    }

    // MARK: The format's constants

    static let magic = Array("CATENAKV".utf8)
    /// Bytes of the header before its texts and tokens.
    static let fixedHeaderBytes = 72
    static let checksumBytes = 4
    /// The length that stands for a missing salt.
    static let noSalt = UInt32.max
}

extension ElementType {
    /// How a snapshot says it.
    var snapshotCode: UInt32 {
        switch self {
        case .f32: 1
        case .bf16: 2
        case .f16: 3
        }
    }
}
