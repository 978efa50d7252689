/// Rows that only write their key and value: the prompts' tokens but their last.
public struct SilentRows: Sendable, Hashable {
    public var count: Int
    /// Positions that they look at, all together.
    public var context: Int

    public init(count: Int = 0, context: Int = 0) {
        self.count = count
        self.context = context
    }

    /// A run of tokens from `start` on.
    public init(start: Int, count: Int) {
        self.init(count: count, context: count * start + count * (count + 1) / 2)
    }

    public static func += (rows: inout SilentRows, more: SilentRows) {
        rows.count += more.count
        rows.context += more.context
    }

    public static func -= (rows: inout SilentRows, fewer: SilentRows) {
        rows.count -= fewer.count
        rows.context -= fewer.context
    }
}

extension TrackedRequest {
    /// What is missing of its prompt, the last token aside.
    var missingPrompt: SilentRows { SilentRows(start: computed, count: max(0, missing - 1)) }
}
