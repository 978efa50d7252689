import Benchmarking
import CLimits
import Testing

@Suite struct MachineLimitsTests {
    /// No limit can be tested for its height; but every loop must run, and do all of its work.
    @Test func limitsAreMeasured() {
        let machine = MachineLimits(bytes: 8 << 20, workers: 2)
        #expect(machine.bufferBytes == 8 << 20 && machine.workers == 2)
        #expect(machine.readBandwidth(repeats: 1) > 1e6)
        #expect(machine.readBandwidth(threads: 1, repeats: 1) > 1e6)
        #expect(machine.cacheBandwidth(bytes: 100_000, repeats: 1) > 1e6)
        // More than there is: as much as there is.
        #expect(machine.cacheBandwidth(bytes: 1 << 40, repeats: 1) > 1e6)
        #expect((machine.dotPeak(.f32, threads: 1, repeats: 1) ?? 0) > 1e6)
        for arithmetic in MachineLimits.Arithmetic.allCases {
            #expect((machine.dotPeak(arithmetic, repeats: 1) != nil) == arithmetic.isAvailable)
        }
    }

    /// Every reader sees every byte: flipping one bit anywhere changes what it answers.
    @Test func readersReadEverything() {
        let count = 2 * Int(CL_READ_UNIT)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        for reader in 0..<Int32(CL_READERS) {
            for byte in stride(from: 0, to: count, by: 61) {
                buffer[byte] = 1
                #expect(cl_read(reader, buffer.baseAddress, count) != 0, "reader \(reader), byte \(byte)")
                buffer[byte] = 0
            }
            #expect(cl_read(reader, buffer.baseAddress, count) == 0)
        }
    }

    @Test func aSpinnerStartsAndStops() {
        let process = cl_start_spinner()
        #expect(process > 0)
        cl_stop_spinner(process)
        cl_stop_spinner(-1)  // none was started: nothing happens
    }
}
