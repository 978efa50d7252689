/// Seconds as a function of a number of rows: measured points with straight lines between them.
///
/// The roofline makes such curves: flat while reading weights is what takes the time, then a slope while multiplying is.
public struct CostCurve: Sendable, Hashable {
    public struct Point: Sendable, Hashable {
        public var rows: Int
        public var seconds: Double

        public init(rows: Int, seconds: Double) {
            self.rows = rows
            self.seconds = seconds
        }
    }

    /// By rows, the first at 0 rows.
    public let points: [Point]
    /// Seconds at 0 rows, 1, 2 and so on, as far as the points go: a decision asks for dozens.
    private let table: [Double]
    private static let longestTable = 512

    /// - Parameters:
    ///   - points: in any order. Seconds that fall with more rows are noise: they are raised to those before them.
    ///   - zero: seconds at 0 rows.
    public init(_ points: [Point], zero: Double = 0) {
        var sorted = [Point(rows: 0, seconds: zero)]
        for point in points.sorted(by: { $0.rows < $1.rows }) where point.rows > sorted[sorted.count - 1].rows {
            let floor = sorted[sorted.count - 1].seconds
            sorted.append(Point(rows: point.rows, seconds: max(floor, point.seconds)))
        }
        self.points = sorted
        let last = min(sorted[sorted.count - 1].rows, Self.longestTable)
        table = (0...last).map { Self.seconds(rows: $0, sorted) }
    }

    /// A first row that costs `fixed`, and `each` for every row.
    public init(fixed: Double, each: Double) {
        self.init([Point(rows: 1, seconds: fixed + each), Point(rows: 1001, seconds: fixed + 1001 * each)])
    }

    /// Beyond the last point the last line goes on.
    public func seconds(rows: Int) -> Double {
        rows >= 0 && rows < table.count ? table[rows] : Self.seconds(rows: rows, points)
    }

    private static func seconds(rows: Int, _ points: [Point]) -> Double {
        guard rows > 0 else { return points[0].seconds }
        guard points.count > 1 else { return points[0].seconds }
        var upper = 1
        while upper < points.count - 1 && points[upper].rows < rows { upper += 1 }
        let a = points[upper - 1], b = points[upper]
        // A curve of one measured point says nothing about more rows: they cost in proportion.
        if points.count == 2 && rows > b.rows { return b.seconds * Double(rows) / Double(b.rows) }
        return a.seconds + (b.seconds - a.seconds) * Double(rows - a.rows) / Double(b.rows - a.rows)
    }
}
