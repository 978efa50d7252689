/// Why a workload cannot be made: what was wrong, where, and what would be right.
package struct WorkloadError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
