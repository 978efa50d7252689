import Core
import Engine
import Foundation
import KVCache
import Model

/// A fake model whose next token is a hash of all tokens before it and of the chain count, read back from the KV blocks:
/// any fault in block tables, sessions, copies or positions gives another answer.
final class PrefixHashModel: LanguageModel {
    static let vocabularySize = 64
    /// A layout with room for one number per token.
    static let layout = BlockLayout(layers: 1, kvHeads: 1, headSize: 1)

    let chainCount = 4
    private var rows: [Float] = []
    /// What the last answer points at.
    private var memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)
    private(set) var computedTokens = 0
    private(set) var largestBatch = 0

    private let stepTime: Double

    /// - Parameter stepTime: seconds that a step takes at least.
    init(stepTime: Double = 0) {
        self.stepTime = stepTime
    }

    deinit {
        memory.deallocate()
    }

    static func makePool(blocks: Int) -> BlockPool {
        BlockPool(layout: layout, blocks: blocks)
    }

    /// The token that follows `tokens` at `chains` chains.
    static func next(after tokens: some Sequence<TokenID>, chains: Int) -> TokenID {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for token in tokens { hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x100_0000_01b3 }
        hash = (hash ^ UInt64(chains)) &* 0x100_0000_01b3
        return TokenID((hash >> 20) % UInt64(vocabularySize))
    }

    /// The greedy answer to `prompt`.
    static func answer(to prompt: [TokenID], count: Int, chains: Int) -> [TokenID] {
        var tokens = prompt
        for _ in 0..<count { tokens.append(next(after: tokens, chains: chains)) }
        return Array(tokens[prompt.count...])
    }

    /// Whether each token is what follows at its own chain count.
    static func isAnswer(_ answer: [GeneratedToken], to prompt: [TokenID]) -> Bool {
        var tokens = prompt
        for token in answer {
            guard token.id == next(after: tokens, chains: token.chains) else { return false }
            tokens.append(token.id)
        }
        return true
    }

    func forward(_ batch: Batch, cache: BlockPool) -> Logits {
        if stepTime > 0 { Thread.sleep(forTimeInterval: stepTime) }
        largestBatch = max(largestBatch, batch.tokenCount)
        computedTokens += batch.tokenCount
        rows = []
        for segment in batch.segments {
            for (index, token) in segment.tokens.enumerated() {
                let position = segment.start + index
                cell(position, segment.blocks, cache).storeBytes(of: token, as: TokenID.self)
                let wanted = segment.logits == .all || (segment.logits == .last && index == segment.tokens.count - 1)
                if wanted { appendRow(through: position, segment, cache) }
            }
        }
        memory.deallocate()
        memory = .allocate(capacity: rows.count)
        _ = memory.initialize(from: rows)
        return Logits(
            base: UnsafePointer(memory.baseAddress!),
            vocabularySize: Self.vocabularySize,
            places: Array(0..<rows.count / Self.vocabularySize)
        )
    }

    private func appendRow(through position: Int, _ segment: Segment, _ cache: BlockPool) {
        let tokens = (0...position).map { cell($0, segment.blocks, cache).load(as: TokenID.self) }
        let next = Self.next(after: tokens, chains: segment.chains)
        rows += (0..<TokenID(Self.vocabularySize)).map { $0 == next ? 4 : 0 }
    }

    private func cell(_ position: Int, _ blocks: [BlockID], _ cache: BlockPool) -> UnsafeMutableRawPointer {
        let blockTokens = Self.layout.blockTokens
        return cache.pointer(to: blocks[position / blockTokens]) + position % blockTokens * 4
    }
}
