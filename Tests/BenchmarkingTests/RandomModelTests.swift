import Benchmarking
import Foundation
import ModelIO
import Testing
import Tokenizer

@Suite struct RandomModelTests {
    private let folder = NSTemporaryDirectory() + "catena-random-\(UUID().uuidString)"
    private static let shape = "D=32,layers=2,kv=2,chains=2:4:2,F=24,V=1100,context=64"

    private func write(
        _ shape: String = shape,
        dtype: DType = .bf16,
        seed: UInt64 = 1,
        name: String = "model"
    ) throws -> Checkpoint {
        try RandomModel(ModelConfiguration(shape: shape), dtype: dtype, seed: seed).write(to: "\(folder)/\(name)")
        return try Checkpoint(folder: "\(folder)/\(name)")
    }

    @Test(arguments: [DType.bf16, .f32]) func opensAsACheckpoint(dtype: DType) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let checkpoint = try write(Self.shape, dtype: dtype)
        let configuration = try ModelConfiguration(shape: Self.shape)
        #expect(checkpoint.configuration.chains == configuration.chains)
        #expect(checkpoint.configuration.contextLength == 64)
        #expect(checkpoint.configuration.eosTokenIDs == [0])
        #expect(checkpoint.configuration.weightType == dtype)
        let norm = try checkpoint.weight(.finalNorm(chain: 2)).floats()
        #expect(norm.allSatisfy { $0 == 1 })
        // Uniform around 0, no weight 0, with the spread that keeps a product's size: 1 / sqrt(inputs).
        let query = try checkpoint.weight(.query(layer: 1, chain: 3)).floats()
        let mean = query.reduce(0, +) / Float(query.count)
        let variance = query.reduce(0) { $0 + $1 * $1 } / Float(query.count)
        #expect(abs(mean) < 0.03 && abs(variance * 32 - 1) < 0.15)
        #expect(!query.contains(0) && Set(query).count > 100)
    }

    @Test func aTiedHeadIsNotWritten() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try write(Self.shape + ",tied=true").configuration.tiesEmbeddings)
    }

    /// The same seed gives the same bytes; another seed, another tensor or another layer gives others.
    @Test func isAFunctionOfShapeAndSeed() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let models = try [write(seed: 5, name: "a"), write(seed: 5, name: "b"), write(seed: 6, name: "c")]
        let weights = try models.map { try $0.weight(.gate(layer: 0, chain: 1)).floats() }
        #expect(weights[0] == weights[1] && weights[0] != weights[2])
        #expect(try models[0].weight(.up(layer: 0, chain: 1)).floats() != weights[0])
        #expect(try models[0].weight(.gate(layer: 1, chain: 1)).floats() != weights[0])
        #expect(models[0].fingerprint == models[1].fingerprint && models[0].fingerprint != models[2].fingerprint)
    }

    @Test func overwritesNothing() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try write()
        let error = try #require(throws: ModelFileError.self) { try write() }
        #expect(error.description.hasPrefix("\(folder)/model: is there already"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model"])
    }

    @Test func refusesWhatCannotBeServed() throws {
        let small = try ModelConfiguration(shape: "S,V=256")
        #expect(throws: ModelFileError.self) { try RandomModel(small, dtype: .bf16, seed: 0) }
        let shape = try ModelConfiguration(shape: "S")
        #expect(throws: ModelFileError.self) { try RandomModel(shape, dtype: .i8, seed: 0) }
    }

    @Test func progressEndsAtAllBytes() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var steps: [Int] = []
        let model = try RandomModel(ModelConfiguration(shape: Self.shape), dtype: .bf16, seed: 0)
        try model.write(to: folder) { steps.append($0) }
        #expect(steps == steps.sorted() && steps.last == model.byteCount)
    }

    /// Every id below the vocabulary size has a text, and every text can be encoded, whatever the size.
    @Test(arguments: [257, 258, 933, 934, 4096, 20_000])
    func tokenizerFillsTheVocabulary(size: Int) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try write("D=8,layers=1,kv=1,chains=1:1,F=8,V=\(size)")
        let tokenizer = try BPETokenizer(path: folder + "/model/tokenizer.json")
        #expect(tokenizer.vocabularySize == size)
        for id in 1..<Int32(size) { #expect(try !tokenizer.decode([id], skipSpecial: false).isEmpty) }
        let text = "Zoë said:\n\t\"there are 12 words here\" \u{0} 🜛 the thethe"
        let tokens = try tokenizer.encode(text)
        #expect(try tokenizer.decode(tokens, skipSpecial: false) == text)
        // With fillers words take fewer tokens.
        if size > 1000 { #expect(tokens.count < text.utf8.count) }
    }
}
