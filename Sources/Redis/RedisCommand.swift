/// A command with its arguments, each any bytes.
public struct RedisCommand: Sendable, Hashable {
    public var arguments: [[UInt8]]

    public init(_ words: [String]) {
        arguments = words.map { Array($0.utf8) }
    }
}
