// Cutting products into tasks: every output once.

import Tensor
import Testing

@Suite struct WorkSplitTests {
    @Test(arguments: [1, 2, 5], [8, 64])
    func coversEveryOutputOfEveryPartOnce(workers: Int, tile: Int) {
        let pool = WorkerPool(workers: workers)
        let split = WorkSplit(tile: tile)
        let counts = AlignedBuffer<UInt8>(count: 3 * 5000)
        let pointer = counts.pointer
        for (outputs, cost) in [(1, 1), (7, 100), (129, 4096), (5000, 700), (5000, 1)] {
            counts.elements.update(repeating: 0)
            split.add(part: 0, outputs: outputs, cost: cost, inputs: 300)
            split.add(part: 1, count: outputs, cost: cost)
            split.add(part: 2, outputs: outputs, cost: 0, inputs: 300)
            split.run(on: pool) { part, range, _ in
                precondition(part != 0 || range.lowerBound.isMultiple(of: tile))
                precondition(part != 0 || range.count * 300 <= 131_072, "a task's weights fit the cache")
                for output in range { pointer[part * 5000 + output] += 1 }
            }
            for part in 0..<2 {
                #expect(counts.elements[part * 5000..<part * 5000 + outputs].allSatisfy { $0 == 1 })
                #expect(counts.elements[part * 5000 + outputs..<part * 5000 + 5000].allSatisfy { $0 == 0 })
            }
            #expect(counts.elements[10_000...].allSatisfy { $0 == 0 }, "a part of no rows has no tasks")
        }
        split.run(on: pool) { _, _, _ in Issue.record("what ran is forgotten") }
    }
}
