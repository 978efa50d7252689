/// A token of a model's vocabulary, `0..<vocabularySize`.
public typealias TokenID = Int32
