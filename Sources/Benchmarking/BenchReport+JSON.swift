// The report for programs: one JSON object; seconds, bytes and rates in plain units, shares from 0 to 1.

import JSON

extension BenchReport {
    /// One object with a member per part of the report, ended by a line feed. Parts that were not measured are empty lists
    /// or null.
    public var json: [UInt8] {
        let tree = Tree.object([
            ("subject", subject.tree),
            ("read_bytes_per_second", .list(bandwidths.map(\.tree))),
            ("operations_per_second", .list(peaks.map(\.tree))),
            ("prefill", .list(prefill.map(\.tree))),
            ("first_token", .list(firstToken.map(\.tree))),
            ("decode", .list(decode.map(\.tree))),
            ("mixed", mixed?.tree ?? .null),
            ("dense", dense?.tree ?? .null),
            ("overhead", .list(overhead.map(\.tree))),
            ("memory", memory?.tree ?? .null),
            ("contended", .list(contended.map(\.tree))),
        ])
        var writer = JSONWriter(reserving: 1 << 14)
        tree.write(to: &writer)
        writer.raw("\n")
        return writer.bytes
    }
}

/// JSON to be written.
private indirect enum Tree {
    case null
    case number(Double)
    case integer(Int)
    case text(String)
    case list([Tree])
    case object([(String, Tree)])

    func write(to json: inout JSONWriter) {
        switch self {
        case .null: json.raw("null")
        case .number(let value): json.number(value)
        case .integer(let value): json.integer(value)
        case .text(let text): json.string(text)
        case .list(let elements):
            json.raw("[")
            for (index, element) in elements.enumerated() {
                json.separator(before: index)
                element.write(to: &json)
            }
            json.raw("]")
        case .object(let members):
            json.raw("{")
            for (index, member) in members.enumerated() {
                json.separator(before: index)
                json.string(member.0)
                json.raw(":")
                member.1.write(to: &json)
            }
            json.raw("}")
        }
    }
}

// MARK: The parts

extension BenchReport.Subject {
    fileprivate var tree: Tree {
        .object([
            ("name", .text(name)), ("dtype", .text(dtype)), ("kernels", .text(kernels)), ("threads", .integer(threads)),
            ("chains", .list(chains.map(Tree.integer))),
            ("decode_bytes", .list(decodeBytes.map(Tree.number))),
            ("parameters", .list(parameters.map(Tree.integer))),
        ])
    }
}

extension BenchReport.Limit {
    fileprivate var tree: Tree {
        .object([
            ("name", .text(name)), ("one_thread", oneThread.map(Tree.number) ?? .null),
            ("all_threads", allThreads.map(Tree.number) ?? .null),
        ])
    }
}

extension BenchReport.Prefill {
    fileprivate var tree: Tree {
        .object([
            ("tokens", .integer(tokens)), ("seconds", .number(seconds)),
            ("tokens_per_second", .number(tokensPerSecond)), ("share_of_peak", .number(shareOfPeak)),
            ("share_of_closed_form", .number(shareOfClosedForm)),
        ])
    }
}

extension BenchReport.FirstToken {
    fileprivate var tree: Tree {
        .object([
            ("chains", .integer(chains)), ("tokens", .integer(tokens)), ("seconds", .number(seconds)),
            ("share_of_closed_form", .number(shareOfClosedForm)),
        ])
    }
}

extension BenchReport.Decode {
    fileprivate var tree: Tree {
        .object([
            ("chains", .integer(chains)), ("rows", .integer(rows)), ("seconds", .number(seconds)),
            ("tokens_per_second", .number(tokensPerSecond)), ("weight_bytes", .number(weightBytes)),
            ("bandwidth_before", .number(bandwidthBefore)), ("bandwidth_after", .number(bandwidthAfter)),
            ("share_of_bandwidth", .number(shareOfBandwidth)), ("share_of_closed_form", .number(shareOfClosedForm)),
        ])
    }
}

extension BenchReport.Mixed {
    fileprivate var tree: Tree {
        .object([
            ("rows", .list(rows.map(Tree.integer))), ("seconds", .number(seconds)),
            ("closed_form_seconds", .number(closedFormSeconds)),
        ])
    }
}

extension BenchReport.Dense {
    fileprivate var tree: Tree {
        .object([
            ("tokens", .integer(tokens)), ("seconds", .number(seconds)), ("dense_seconds", .number(denseSeconds)),
            ("speed_up", .number(speedUp)), ("expected_speed_up", .number(expectedSpeedUp)),
        ])
    }
}

extension BenchReport.Overhead {
    fileprivate var tree: Tree {
        .object([
            ("chains", .integer(chains)), ("step_seconds", .number(stepSeconds)),
            ("outside_seconds", .number(outsideSeconds)), ("share", .number(share)),
        ])
    }
}

extension BenchReport.Memory {
    fileprivate var tree: Tree {
        .object([
            ("resident", .integer(resident)), ("file", .integer(file)), ("anonymous", .integer(anonymous)),
            ("weights", .integer(weights)), ("pool", .integer(pool)), ("rest", .integer(rest)),
        ])
    }
}

extension BenchReport.Contended {
    fileprivate var tree: Tree {
        .object([
            ("name", .text(name)), ("quiet_tokens_per_second", .number(quietTokensPerSecond)),
            ("contended_tokens_per_second", .number(contendedTokensPerSecond)), ("share", .number(share)),
        ])
    }
}
