/// A request of a workload: when it comes, and how long its prompt and its answer are.
package struct Arrival: Sendable, Hashable {
    /// Seconds from the start of the load.
    package var time: Double
    /// Tokens of the prompt, at least 1.
    package var promptTokens: Int
    /// Tokens of the answer, at least 1.
    package var outputTokens: Int

    package init(time: Double, promptTokens: Int, outputTokens: Int) {
        self.time = time
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
    }
}
