import ArgumentParser
import Benchmarking
import Foundation
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
        switch format {
        case .f32, .bf16:
            let model = try RandomModel(configuration, dtype: format == .f32 ? .f32 : .bf16, seed: 1)
            try model.write(to: folder) { status.show("random weights, \($0 * 100 / model.byteCount) %") }
        case .f16, .int8, .int4:
            throw ValidationError(
                "Random weights can be f32 or bf16, not \(format.rawValue). Give the folder of a model with such "
                    + "weights: catena bench --model FOLDER"
            )
        }
        return try Checkpoint(folder: folder)
    }
}
