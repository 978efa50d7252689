// Requests of one connection: what the parser makes of bytes must not depend on how the network cuts them.

import Fuzzing
import HTTP1
import TestSupport

fuzz { input in
    var limits = RequestLimits()
    limits.target = 200
    limits.headerLine = 300
    limits.headerCount = 20
    limits.headerTotal = 1000
    limits.body = 1000
    limits.chunkExtensions = 50
    limits.trailers = 200
    guard let first = input.first else { return }
    let bytes = input.dropFirst()
    let cut = bytes.startIndex + Int(first) % (bytes.count + 1)
    let whole = Transcript(pieces: [bytes], limits: limits)
    precondition(whole == Transcript(pieces: [bytes[..<cut], bytes[cut...]], limits: limits), "the cut shows")
    precondition(whole == Transcript(pieces: bytes.indices.map { bytes[$0...$0] }, limits: limits), "cuts show")
    precondition(whole.bodies.allSatisfy { $0.utf8.count <= 3 * limits.body }, "a body beyond its limit")
}
