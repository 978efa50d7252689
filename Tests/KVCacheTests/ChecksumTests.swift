// The checksum by the processor's instructions is that of zlib.

import TestSupport
import Testing

@testable import KVCache

@Suite struct ChecksumTests {
    @Test func everyLengthAndEveryStart() {
        var random = SeededGenerator(seed: 1)
        let bytes = (0..<2000).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        bytes.withUnsafeBytes { bytes in
            for count in 0...700 {
                let part = UnsafeRawBufferPointer(rebasing: bytes[count..<2 * count])
                let start = UInt32.random(in: .min ... .max, using: &random)
                #expect(checksum(part, from: start) == zlibChecksum(part, from: start), "\(count) bytes")
                #expect(checksum(part) == zlibChecksum(part), "\(count) bytes")
            }
        }
    }

    @Test func aSumGoesOnFromAnyPlace() {
        var random = SeededGenerator(seed: 2)
        let bytes = (0..<1000).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let whole = bytes.withUnsafeBytes { zlibChecksum($0) }
        for place in 0...bytes.count {
            let first = bytes[..<place].withUnsafeBytes { checksum($0) }
            #expect(bytes[place...].withUnsafeBytes { checksum($0, from: first) } == whole)
        }
    }

    @Test func nothingAddsNothing() {
        #expect(checksum(UnsafeRawBufferPointer(start: nil, count: 0), from: 7) == 7)
        #expect([UInt8]().withUnsafeBytes { checksum($0) } == 0)
    }
}
