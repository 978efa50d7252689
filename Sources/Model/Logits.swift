// What a forward pass answers.

/// The logits of the rows that wanted some, in the order of the batch's segments and of the tokens in them.
///
/// A view of the model's own memory: valid until its next forward pass.
public struct Logits {
    /// Rows.
    public var count: Int { places.count }
    /// `V`
    public let vocabularySize: Int
    private let base: UnsafePointer<Float>
    /// Where the rows are, as the pass computes them in another order.
    private let places: [Int]

    /// - Parameters:
    ///   - base: rows of `vocabularySize`, which outlive this view.
    ///   - places: for each row that wanted logits, which row of `base` is its.
    public init(base: UnsafePointer<Float>, vocabularySize: Int, places: [Int]) {
        self.base = base
        self.vocabularySize = vocabularySize
        self.places = places
    }

    /// The logits `[V]` of row `row`.
    public subscript(row: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(start: base + places[row] * vocabularySize, count: vocabularySize)
    }
}
