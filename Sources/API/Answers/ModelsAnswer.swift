import Core
import JSON

/// `GET /v1/models`: the model and its sizes, with what each is worth.
extension ServedModel {
    /// The list object.
    var listAnswer: [UInt8] {
        var json = JSONWriter(reserving: 1024)
        json.raw("{\"object\":\"list\",\"data\":[")
        write(size: nil, to: &json)
        for size in 1...chains {
            json.raw(",")
            write(size: size, to: &json)
        }
        json.raw("]}")
        return json.bytes
    }

    /// The object of one name, nil for a name that is not in the list.
    func answer(for requested: String) -> [UInt8]? {
        let (size, isOurs) = suffix(of: requested)
        guard isOurs, size.map({ (1...chains).contains($0) && requested == "\(name):\($0)" }) ?? true else {
            return nil
        }
        var json = JSONWriter(reserving: 1024)
        write(size: size, to: &json)
        return json.bytes
    }

    /// - Parameter size: a chain count, or nil for the model as a whole.
    private func write(size: Int?, to json: inout JSONWriter) {
        json.raw("{\"id\":")
        json.string(size.map { "\(name):\($0)" } ?? name)
        json.raw(",\"object\":\"model\",\"created\":")
        json.integer(created)
        json.raw(",\"owned_by\":\"catena\",\"max_model_len\":")
        json.integer(contextLength)
        json.raw(",\"chains\":")
        json.integer(size ?? chains)
        json.raw(",\"quality\":[")
        let rows = quality.filter { size == nil || $0.chains == size }
        for (index, row) in rows.enumerated() {
            json.separator(before: index)
            json.raw("{\"chains\":")
            json.integer(row.chains)
            json.raw(",\"loss\":")
            json.number(row.loss)
            json.raw(",\"perplexity\":")
            json.number(row.perplexity)
            json.raw(",\"parameters\":")
            json.integer(row.parameters)
            json.raw("}")
        }
        json.raw("]}")
    }
}
