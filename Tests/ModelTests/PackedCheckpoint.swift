// A random checkpoint packed in each format, and models of it.

import Foundation
import Model
import ModelIO
import Tensor

/// A packed copy of a random checkpoint; removed when the value that made it goes.
final class PackedCheckpoint: Sendable {
    /// Chains of 64, 128 and 64 hidden and 96, 192 and 96 feed-forward values: whole groups of 32.
    static func original(isTied: Bool = true, changedChain: Int? = nil, type: DType = .bf16) throws -> RandomCheckpoint
    {
        try RandomCheckpoint(
            chains: [2, 4, 2],
            kvHeads: 2,
            headSize: 32,
            type: type,
            isTied: isTied,
            changedChain: changedChain
        )
    }

    static let plain = try! original()
    static let bf16 = try! PackedCheckpoint(plain, .bf16)
    static let int8 = try! PackedCheckpoint(plain, .int8)
    static let int4 = try! PackedCheckpoint(plain, .int4)

    static func of(_ format: PackedFormat) -> PackedCheckpoint {
        switch format {
        case .bf16: bf16
        case .int8: int8
        case .int4: int4
        }
    }

    let folder: String

    init(_ original: RandomCheckpoint, _ format: PackedFormat, workers: Int? = nil) throws {
        folder = original.folder + "-\(format)-\(UUID().uuidString)"
        try CheckpointQuantizer(original.open(), to: format, output: folder, workers: workers).run()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func open(chains: Int? = nil) throws -> Checkpoint { try Checkpoint(folder: folder, chains: chains) }

    func run(
        chains: Int? = nil,
        kernels: String = Kernels.active.name,
        workers: Int = 2,
        cache: ElementType = .f32,
        weights: WeightPlacement = .copy
    ) throws -> ModelRun {
        try ModelRun(open(chains: chains), kernels: kernels, workers: workers, cache: cache, weights: weights)
    }
}
