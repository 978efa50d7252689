// A cost model as a file, so that a machine is calibrated once and simulated anywhere.

import JSON
import Scheduling

/// Why a cost file cannot be read.
package struct CostFileError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
}

/// ```
/// {"first": [[1, 0.0001], [32, 0.0004]], "tiers": [[[1, 0.00001]], [[1, 0.0001]]], "attention": 1e-8}
/// ```
/// A curve is a list of `[rows, seconds]`; there is a tier for each chain.
package enum CostFile {
    package static func text(of cost: CostModel) -> [UInt8] {
        var json = JSONWriter()
        json.raw("{\"first\": ")
        json.curve(cost.first)
        json.raw(",\n\"tiers\": [")
        for (index, tier) in cost.tiers.enumerated() {
            json.separator(before: index)
            json.raw("\n  ")
            json.curve(tier)
        }
        json.raw("],\n\"attention\": ")
        json.number(cost.attention)
        json.raw("}\n")
        return json.bytes
    }

    package static func read(_ bytes: [UInt8]) throws(CostFileError) -> CostModel {
        let value: JSONValue
        do {
            value = try JSONParser.parse(bytes, of: "the cost file")
        } catch {
            throw CostFileError(description: "line \(error.line), column \(error.column): \(error.problem)")
        }
        guard case .object(let members) = value, case .array(let list)? = members["tiers"],
            (1...64).contains(list.count)
        else { throw CostFileError(description: "'tiers' must be a list of 1 to 64 curves") }
        var tiers: [CostCurve] = []
        for (index, tier) in list.enumerated() { tiers.append(try curve(tier, name: "tiers[\(index)]")) }
        guard let attention = members["attention"]?.double, attention >= 0 else {
            throw CostFileError(description: "'attention' must be a number of seconds, 0 or more")
        }
        return CostModel(first: try curve(members["first"], name: "first"), tiers: tiers, attention: attention)
    }

    private static func curve(_ value: JSONValue?, name: String) throws(CostFileError) -> CostCurve {
        let wrong = CostFileError(
            description: "'\(name)' must be a list of [rows, seconds], with rows from 1 and seconds from 0 on"
        )
        guard case .array(let list)? = value, !list.isEmpty else { throw wrong }
        var points: [CostCurve.Point] = []
        for element in list {
            guard case .array(let pair) = element, pair.count == 2, let rows = pair[0].int, rows >= 1,
                let seconds = pair[1].double, seconds >= 0
            else { throw wrong }
            points.append(.init(rows: rows, seconds: seconds))
        }
        return CostCurve(points)
    }
}

extension JSONWriter {
    fileprivate mutating func curve(_ curve: CostCurve) {
        raw("[")
        for (index, point) in curve.points.dropFirst().enumerated() {
            separator(before: index)
            raw("[")
            integer(point.rows)
            raw(",")
            number(point.seconds)
            raw("]")
        }
        raw("]")
    }
}
