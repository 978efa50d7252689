// What config.json says of a packed checkpoint, under "quantization": read strictly, since a wrong guess would be noise.
//
//     {"format": "int4", "head_format": "int8", "group_size": 32, "panel": 32, "version": 1}

import JSON

/// The formats that a checkpoint's matrices are packed in.
public struct Quantization: Sendable, Equatable {
    /// Of the layers' matrices.
    public let format: PackedFormat
    /// Of the embedding and the head.
    public let headFormat: PackedFormat

    /// Of the layout that ``PackedFormat`` and the kernels know.
    public static let version = 1

    public init(format: PackedFormat, headFormat: PackedFormat) {
        self.format = format
        self.headFormat = headFormat
    }

    /// What `catena quantize --to target` makes. The embedding and the head carry most of the error, and only one row of the
    /// one and the last product are read with them: they keep 8 bits when the layers get 4.
    public init(target: PackedFormat) {
        self.init(format: target, headFormat: target == .int4 ? .int8 : target)
    }

    static let key = "quantization"
    private static let members = ["format", "head_format", "group_size", "panel", "version"]

    /// - Parameter fields: of config.json
    /// - Returns: nil if the checkpoint is not packed.
    init?(in fields: JSONFields) throws(ModelFileError) {
        guard let fields = try fields.optionalObject(Self.key) else { return nil }
        for member in fields.members where !Self.members.contains(member.key) {
            throw fields.unsupported(
                quoted(member.key),
                "is no setting of a packed checkpoint",
                "only \(Self.members.joined(separator: ", ")), as `catena quantize` writes them"
            )
        }
        for (key, only) in [
            ("version", Self.version), ("group_size", PackedFormat.group), ("panel", PackedFormat.panel),
        ] {
            let value = try fields.int(key)
            guard value == only else {
                throw fields.unsupported(
                    key,
                    "is \(value)",
                    "\(only); quantize the original model again with this version of catena"
                )
            }
        }
        format = try Self.format("format", fields)
        headFormat = try Self.format("head_format", fields)
    }

    private static func format(_ key: String, _ fields: JSONFields) throws(ModelFileError) -> PackedFormat {
        let name = try fields.string(key)
        guard let format = PackedFormat(rawValue: name) else {
            let names = PackedFormat.allCases.map { quoted($0.rawValue) }.joined(separator: ", ")
            throw fields.unsupported(key, "is \(quoted(name))", "one of \(names)")
        }
        return format
    }

    /// Checks that whole groups of weights share a scale in every matrix of every chain.
    /// - Parameter item: what of `file` is at fault if not.
    func check(_ configuration: ModelConfiguration, file: String, item: String) throws(ModelFileError) {
        func check(_ format: PackedFormat, _ widths: [Int], _ noun: String) throws(ModelFileError) {
            guard format.isInteger, let position = widths.firstIndex(where: { !$0.isMultiple(of: PackedFormat.group) })
            else { return }
            throw ModelFileError(
                .unsupported,
                file: file,
                item: item,
                problem: "chain \(position + TensorName.firstChain) has \(widths[position]) \(noun)",
                expectation: "a multiple of \(PackedFormat.group), the inputs that share a scale in "
                    + "\(format.rawValue); bf16 takes any number"
            )
        }
        try check(headFormat, configuration.chainWidths, "hidden values")
        try check(format, configuration.chainWidths, "hidden values")
        try check(format, configuration.chainIntermediateSizes, "feed-forward values")
    }
}

extension TensorName {
    /// How the tensor is packed in a checkpoint of `configuration`: nil for norms, and if nothing is packed.
    public func packing(in configuration: ModelConfiguration) -> PackedFormat? {
        guard isMatrix, let quantization = configuration.quantization else { return nil }
        return isEmbedding || isHead ? quantization.headFormat : quantization.format
    }

    /// The shape of the tensor in the file: ``shape(in:)``, or that of its panels.
    public func storedShape(in configuration: ModelConfiguration) -> [Int] {
        let shape = shape(in: configuration)
        return packing(in: configuration).map { $0.shape(outputs: shape[0], inputs: shape[1]) } ?? shape
    }
}
