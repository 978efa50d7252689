import Testing

@testable import Tensor

@Suite struct SharedBytesTests {
    private let bytes = SharedBytes((0..<100).map { UInt8($0) })

    @Test func partsShareTheMemoryAndKeepTheirIndices() {
        let part = bytes[10..<20]
        #expect(part.count == 10 && part.startIndex == 10 && part[10] == 10 && Array(part) == Array(10..<20))
        #expect(part[15...] == bytes[15..<20])
        let addresses = [bytes, part, part[12...]].map { $0.withUnsafeBytes { $0.baseAddress } }
        #expect(addresses[1] == addresses[0].map { $0 + 10 } && addresses[2] == addresses[0].map { $0 + 12 })
        #expect(part.withContiguousStorageIfAvailable { Array($0) } == Array(10..<20))
        #expect(bytes[..<0].isEmpty && bytes[100...].isEmpty)
    }

    @Test func equalBytesAreEqualWhereverTheyAre() {
        let same = SharedBytes(Array(0..<100))
        #expect(bytes == same && bytes.hashValue == same.hashValue)
        #expect(bytes[5..<10] == [5, 6, 7, 8, 9] && bytes[5..<10].hashValue == SharedBytes([5, 6, 7, 8, 9]).hashValue)
        #expect(bytes != bytes[..<99] && bytes[..<2] != [0, 2])
        #expect(SharedBytes([]) == [] && SharedBytes([]).isEmpty)
    }

    /// Large bytes are as many as were asked for, whatever memory they got, and nobody else's while they are there.
    @Test func largeBytesThatGetUsedMemory() {
        let sizes = [3 << 20, 3 << 20, (3 << 20) + 1, 2 << 20, 1 << 20]
        for round in 0..<4 {
            let fillings = sizes.indices.map { UInt8(round * 10 + $0) }
            let all = zip(sizes, fillings).map { size, filling in
                SharedBytes(count: size) { bytes in
                    #expect(bytes.count == size)
                    bytes.initializeMemory(as: UInt8.self, repeating: filling)
                }
            }
            for (bytes, filling) in zip(all, fillings) {
                let isIntact = bytes.withUnsafeBytes { bytes in
                    stride(from: 0, to: bytes.count, by: 509).allSatisfy { bytes[$0] == filling }
                }
                #expect(isIntact)
            }
            #expect(all.map(\.count) == sizes)
        }
    }

    private struct Failed: Error {}

    @Test func aFailureComesOut() {
        #expect(throws: Failed.self) { try SharedBytes(count: 8) { (_) throws(Failed) in throw Failed() } }
    }

    /// Large pages begin at multiples of their size; whatever is asked for, all of it can be used.
    @Test(arguments: [1, 4096, 2 << 20, (2 << 20) + 1, 5 << 20])
    func hugeBuffersBeginWithAPage(count: Int) {
        let buffer = AlignedBuffer<UInt8>(count: count, isHuge: true)
        #expect(UInt(bitPattern: buffer.pointer).isMultiple(of: 2 << 20))
        #expect(buffer[count - 1] == 0)
        buffer[count - 1] = 9
        buffer[0] = 8
        #expect(buffer[count - 1] == (count == 1 ? 8 : 9))
    }
}
