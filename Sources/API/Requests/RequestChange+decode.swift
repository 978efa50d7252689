import Core

extension RequestChange {
    /// Decodes the body of `PATCH /v1/requests/{id}`, by the same rules as a new request's.
    ///
    /// - Parameters:
    ///   - headers: `X-Chains` and the budget's, which count here too.
    ///   - available: chains of the model.
    ///   - received: when the change arrived; its times count from there.
    /// - Throws: 400, also when there is nothing to change.
    static func decode(
        body: [UInt8],
        headers: CompletionHeaders,
        available: Int,
        received: ContinuousClock.Instant
    ) throws(APIError) -> RequestChange {
        let fields = try RequestFields(body: body)
        var change = RequestChange(received: received)
        let chains = ChainsRequest(header: headers.chains, body: fields["chains"])
        if !chains.isEmpty { change.chains = try chains.resolve(available: available, default: .auto) }
        let budget = BudgetRequest(headers: headers.budget, body: fields)
        if budget.isGiven {
            change.budget = try budget.resolve()
        } else if try budget.bestEffort() != nil {
            throw .invalid(
                "'best_effort' belongs to limits; give 'latency_budget_ms' or 'slo' with it.",
                param: "best_effort"
            )
        }
        guard change.chains != nil || change.budget != nil else {
            throw .invalid("There is nothing to change; give 'chains', 'latency_budget_ms' or 'slo'.")
        }
        return change
    }
}
