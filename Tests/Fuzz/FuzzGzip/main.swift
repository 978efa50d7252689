// Bytes that claim to be gzip; and gzip of any bytes, which must come back.

import Compression
import Fuzzing

private func inflate(_ pieces: [ArraySlice<UInt8>], limit: Int) -> Result<[UInt8], GzipError> {
    let inflater = GzipInflater()
    var output: [UInt8] = []
    do throws(GzipError) {
        for piece in pieces { try inflater.inflate(Array(piece).span, into: &output, limit: limit) }
        try inflater.finish()
    } catch {
        return .failure(error)
    }
    precondition(output.count <= limit, "inflated beyond the limit")
    return .success(output)
}

fuzz { input in
    let whole = inflate([input[...]], limit: 1 << 16)
    precondition(whole == inflate(input.indices.map { input[$0...$0] }, limit: 1 << 16), "cuts show")
    // One in 16, as it costs much more.
    guard input.count.isMultiple(of: 16) else { return }
    precondition(inflate([gzip(input, level: 1)[...]], limit: input.count) == .success(input), "it does not come back")
}
