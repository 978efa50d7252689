// The chunked coding by itself, at its limits.

import Fuzzing

@testable import HTTP1

/// The body and where it ends in the input, or the error.
private struct Outcome: Equatable {
    var body: [UInt8] = []
    var end: Int?
    var error: RequestError?

    init(_ pieces: [ArraySlice<UInt8>], _ limits: RequestLimits) {
        var decoder = ChunkedDecoder(limits: limits)
        var before = 0
        for piece in pieces {
            let bytes = Array(piece)
            var offset = 0
            do throws(RequestError) {
                while let step = try decoder.next(bytes.span, at: &offset) {
                    switch step {
                    case .data(let range): body += bytes[range]
                    case .end:
                        end = before + offset
                        return
                    }
                }
            } catch {
                self.error = error
                return
            }
            before += bytes.count
        }
    }
}

fuzz { input in
    var limits = RequestLimits()
    limits.body = 64
    limits.chunkExtensions = 16
    limits.trailers = 64
    limits.headerCount = 4
    let whole = Outcome([input[...]], limits)
    precondition(whole == Outcome(input.indices.map { input[$0...$0] }, limits), "cuts show")
    precondition(whole.body.count <= limits.body, "a body beyond its limit")
}
