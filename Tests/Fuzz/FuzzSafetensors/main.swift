// The head of a safetensors file: tensors inside the file that cover it without overlap, or an error.

import Fuzzing

@testable import ModelIO

fuzz { input in
    input.withUnsafeBytes { bytes in
        guard let header = try? SafetensorsHeader(bytes, file: "fuzzed") else { return }
        var end: Int?
        for entry in header.entries {
            precondition(entry.range.upperBound <= bytes.count, "a tensor beyond the file")
            precondition(end == nil || entry.range.lowerBound == end, "a hole, or an overlap")
            end = entry.range.upperBound
        }
        precondition(end == nil || end == bytes.count, "bytes that are nobody's")
    }
}
