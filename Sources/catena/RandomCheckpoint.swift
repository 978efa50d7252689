import ArgumentParser
import Benchmarking
import Foundation
import Model
import ModelIO
import Tensor

/// Random weights for one run: in files that are gone when the run ends, however it ends.
enum RandomCheckpoint {
    /// Writes a model of random weights in `format` into a temporary folder, opens it, and removes the folder: what is
    /// mapped stays until it is unmapped.
    ///
    /// This is the one place that knows how weights of each format are made.
    static func open(
        _ configuration: ModelConfiguration,
        format: WeightFormat,
        _ status: StatusLine
    ) throws -> Checkpoint {
        let folder = NSTemporaryDirectory() + "catena-bench-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard format != .f16 else { throw ValidationError("Random weights can be f32, bf16, int8 or int4, not f16.") }
        let model = try RandomModel(configuration, dtype: format == .f32 ? .f32 : .bf16, seed: 1)
        try model.write(to: folder) { status.show("random weights, \($0 * 100 / model.byteCount) %") }
        let checkpoint = try Checkpoint(folder: folder)
        guard format.isInteger, let packing = PackedFormat(rawValue: format.rawValue) else { return checkpoint }
        let packed = "\(folder)-\(packing.rawValue)"
        defer { try? FileManager.default.removeItem(atPath: packed) }
        status.show("quantising them")
        try CheckpointQuantizer(checkpoint, to: packing, output: packed).run()
        return try Checkpoint(folder: packed)
    }
}
