/// Why the client cannot work at all: what was wrong, where, and what would be right. What happens to single requests is no
/// error but an outcome.
package struct ClientError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// What is wrong with an answer of the server.
struct AnswerError: Error, Sendable, Hashable {
    var problem: String

    init(_ problem: String) { self.problem = problem }
}
