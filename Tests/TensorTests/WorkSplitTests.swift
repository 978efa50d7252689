// Cutting products into tasks: every output of every row once.

import Tensor
import Testing

@Suite struct WorkSplitTests {
    private final class Work: SplitWork {
        private let body: (Int, Range<Int>, Range<Int>) -> Void

        init(_ body: @escaping (Int, Range<Int>, Range<Int>) -> Void) { self.body = body }

        override func run(part: Int, range: Range<Int>, rows: Range<Int>, worker: Int) { body(part, range, rows) }
    }

    @Test(arguments: [1, 2, 5], [false, true])
    func coversEveryOutputOfEveryRowOnce(workers: Int, cutsRows: Bool) {
        let pool = WorkerPool(workers: workers)
        let split = WorkSplit(cutsRows: cutsRows)
        let counts = AlignedBuffer<UInt8>(count: 3 * 500 * 600)
        let pointer = counts.pointer
        for (outputs, rows, inputs) in [(1, 1, 1), (7, 100, 10), (129, 1, 4096), (500, 600, 7), (32, 600, 512)] {
            counts.elements.update(repeating: 0)
            split.add(part: 0, outputs: outputs, inputs: inputs, rows: rows)
            split.add(part: 1, count: outputs, cost: inputs)
            split.add(part: 2, outputs: outputs, inputs: inputs, rows: 0)
            let work = Work { part, range, taskRows in
                precondition(part == 1 || range.lowerBound.isMultiple(of: WeightFormat.panel))
                precondition(part == 1 ? taskRows.isEmpty : cutsRows || taskRows == 0..<rows)
                for output in range {
                    for row in part == 1 ? 0..<1 : taskRows { pointer[(part * 500 + output) * 600 + row] += 1 }
                }
            }
            // What was cut runs as often as one likes.
            for _ in 0..<2 { split.run(on: pool, work) }
            split.removeAll()
            func expected(_ part: Int, _ output: Int, _ row: Int) -> UInt8 {
                part < 2 && output < outputs && row < (part == 0 ? rows : 1) ? 2 : 0
            }
            let isRight = (0..<3).allSatisfy { part in
                (0..<500).allSatisfy { output in
                    (0..<600).allSatisfy {
                        counts.elements[(part * 500 + output) * 600 + $0] == expected(part, output, $0)
                    }
                }
            }
            #expect(isRight, "\(outputs) outputs of \(rows) rows")
        }
        split.run(on: pool, Work { _, _, _ in Issue.record("removed") })
    }
}
