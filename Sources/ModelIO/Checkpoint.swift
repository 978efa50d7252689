// A model folder: its configuration, and the weights of its first k chains, each checked against the configuration.

import JSON

/// An open checkpoint of CoLM-Air.
///
///     config.json
///     model.safetensors.index.json
///     chain-1-of-n.safetensors ... chain-n-of-n.safetensors
///
/// Only the files of the chains asked for are opened, so a smaller model needs fewer files and less memory. After opening,
/// every tensor of those chains is known to be there, with the shape and the type that the configuration gives it: floats, or
/// the packed panels of a matrix. The object never changes and may be shared between threads.
public final class Checkpoint: Sendable {
    /// The folder, as it was given.
    public let folder: String
    public let configuration: ModelConfiguration
    /// The opened files; position 0 is the file of ``TensorName/firstChain``.
    public let files: [SafetensorsFile]
    /// Names the model whose K and V these weights compute; see ``computeFingerprint(configuration:chain1:)``.
    public let fingerprint: String

    /// How many chains are loaded, `files.count`.
    public var chainCount: Int { files.count }

    /// Asks the system to read the files ahead of their first use, which would be a read from the disk for every few pages.
    public func prefetch() {
        for file in files { file.prefetch() }
    }

    public static let indexFileName = "model.safetensors.index.json"
    /// Larger than the index of any model.
    private static let indexByteLimit = 100_000_000

    /// Opens the first `chains` chains of the checkpoint in `folder`, all of them if nil.
    /// - Throws: ``ModelFileError`` naming the file, the tensor and what would be right.
    public init(folder: String, chains requested: Int? = nil) throws(ModelFileError) {
        let configuration = try ModelConfiguration(path: Self.path(ModelConfiguration.fileName, in: folder))
        let count = requested ?? configuration.chainCount
        guard (1...configuration.chainCount).contains(count) else {
            throw ModelFileError(
                .inconsistent,
                file: folder,
                problem: "\(count) chains asked for",
                expectation: "1 to \(configuration.chainCount), the chains of this model"
            )
        }
        try Self.checkIndex(in: folder, configuration: configuration)
        var files: [SafetensorsFile] = []
        for chain in TensorName.firstChain..<TensorName.firstChain + count {
            let name = TensorName.fileName(ofChain: chain, of: configuration.chainCount)
            let file = try SafetensorsFile(path: Self.path(name, in: folder))
            try Self.check(file, chain: chain, configuration: configuration)
            files.append(file)
        }
        self.folder = folder
        self.configuration = configuration
        self.files = files
        fingerprint = Self.computeFingerprint(configuration: configuration, chain1: files[0])
    }

    /// The weights called `name`.
    /// - Throws: `.inconsistent` if the tensor is of a chain that is not loaded, or of no chain of this model.
    public func weight(_ name: TensorName) throws(ModelFileError) -> TensorView {
        let position = name.chain - TensorName.firstChain
        guard files.indices.contains(position) else {
            throw ModelFileError(
                .inconsistent,
                file: folder,
                item: name.description,
                problem: "is of chain \(name.chain), which is not loaded",
                expectation: "chains \(TensorName.firstChain) to \(TensorName.firstChain + files.count - 1)"
            )
        }
        guard let tensor = files[position][name.description] else {
            throw Self.missing(name, in: files[position].path, configuration: configuration)
        }
        return tensor
    }

    /// Bytes of weights in the file of chain `chain` (from ``TensorName/firstChain``), which must be loaded.
    public func byteCount(ofChain chain: Int) -> Int {
        files[chain - TensorName.firstChain].tensors.reduce(0) { $0 + $1.byteCount }
    }

    /// Bytes of weights of all loaded chains.
    public var byteCount: Int { files.indices.reduce(0) { $0 + byteCount(ofChain: $1 + TensorName.firstChain) } }

    private static func path(_ name: String, in folder: String) -> String {
        folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    private static func missing(
        _ name: TensorName,
        in file: String,
        configuration: ModelConfiguration
    ) -> ModelFileError {
        let exists =
            switch name {
            case .head: !configuration.tiesEmbeddings
            default: true
            }
        return ModelFileError(
            .inconsistent,
            file: file,
            item: name.description,
            problem: "is missing",
            expectation: exists
                ? "a \(name.packing(in: configuration) == nil ? "float" : "U8") tensor of shape "
                    + "\(name.storedShape(in: configuration))" : "none, as it is tied"
        )
    }

    /// Checks that the file of `chain` holds the tensors that the configuration gives that chain, and no others.
    private static func check(
        _ file: SafetensorsFile,
        chain: Int,
        configuration: ModelConfiguration
    ) throws(ModelFileError) {
        var unexpected = Set(file.tensors.map { ExactKey(text: $0.name) })
        for name in TensorName.all(ofChain: chain, in: configuration) {
            guard let tensor = file[name.description] else {
                throw missing(name, in: file.path, configuration: configuration)
            }
            let packing = name.packing(in: configuration)
            guard packing == nil ? tensor.dtype.isWeightType : tensor.dtype == .u8 else {
                throw ModelFileError(
                    packing == nil ? .unsupported : .inconsistent,
                    file: file.path,
                    item: tensor.name,
                    problem: "has dtype \(tensor.dtype.rawValue)",
                    expectation: packing.map {
                        "U8, the bytes of \($0.rawValue) panels, by \(ModelConfiguration.fileName)"
                    }
                        ?? "F32, F16 or BF16"
                )
            }
            let shape = name.storedShape(in: configuration)
            guard tensor.shape == shape else {
                let panels = packing.map { ", the \($0.rawValue) panels of \(name.shape(in: configuration))" } ?? ""
                throw ModelFileError(
                    .inconsistent,
                    file: file.path,
                    item: tensor.name,
                    problem: "has shape \(tensor.shape)",
                    expectation: "\(shape)\(panels), by \(ModelConfiguration.fileName)"
                )
            }
            unexpected.remove(ExactKey(text: tensor.name))
        }
        if let stranger = unexpected.map(\.text).min() {
            throw ModelFileError(
                .inconsistent,
                file: file.path,
                item: quoted(stranger),
                problem: "is no tensor of chain \(chain)",
                expectation: "only tensors that \(ModelConfiguration.fileName) calls for"
            )
        }
    }

    /// Checks that the index lists every tensor of every chain, in the file of its chain, and nothing else.
    private static func checkIndex(in folder: String, configuration: ModelConfiguration) throws(ModelFileError) {
        let file = try MappedFile(path: path(indexFileName, in: folder))
        guard file.bytes.count <= indexByteLimit else {
            throw ModelFileError(
                .malformed,
                file: file.path,
                problem: "has \(file.bytes.count) bytes",
                expectation: "at most \(indexByteLimit)"
            )
        }
        let map = try JSONFields(parsing: file.bytes, file: file.path).object("weight_map")
        var expected = 0
        for chain in TensorName.firstChain..<TensorName.firstChain + configuration.chainCount {
            let fileName = TensorName.fileName(ofChain: chain, of: configuration.chainCount)
            for name in TensorName.all(ofChain: chain, in: configuration) {
                // Only this one name is ever opened, so a path in the index ("../..") can lead nowhere.
                let listed = try map.string(name.description)
                guard listed == fileName else {
                    throw map.inconsistent(name.description, "is in \(quoted(listed))", quoted(fileName))
                }
                expected += 1
            }
        }
        guard map.members.count == expected else {
            let known = Set(
                (0..<configuration.chainCount).flatMap {
                    TensorName.all(ofChain: $0 + TensorName.firstChain, in: configuration).map(\.description)
                }
            )
            let stranger = map.members.first { !known.contains($0.key) }?.key ?? ""
            throw map.inconsistent(
                quoted(stranger),
                "is no tensor of this model",
                "\(expected) tensors, each of a chain"
            )
        }
    }
}
