extension RequestFields {
    /// The field `model`.
    /// - Returns: the name as the request gives it, the served one where it gives none; and the chain count of its suffix.
    /// - Throws: 404 for a model that is not served.
    func model(served: ServedModel, _ options: APIOptions) throws(APIError) -> (name: String, suffix: Int?) {
        guard let name = try string("model") else { return (served.name, nil) }
        let (chains, isOurs) = served.suffix(of: name)
        guard isOurs || options.acceptAnyModel else { throw .unknownModel(name, served: served) }
        return (name, chains)
    }
}
