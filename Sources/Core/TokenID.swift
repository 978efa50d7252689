/// A token of a model's vocabulary, `0..<vocabularySize`.
public typealias TokenID = Int32

/// The name of one request inside this process, as the client sees it (`cmpl-…`).
public typealias RequestID = String
