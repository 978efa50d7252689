import Benchmarking
import ModelIO
import Testing

@Suite struct ShapeTextTests {
    @Test func namedShapes() throws {
        let small = try ModelConfiguration(shape: "S")
        #expect((small.hiddenSize, small.layerCount, small.headCount) == (512, 8, 16))
        #expect((small.intermediateSize, small.vocabularySize) == (1408, 4096))
        let medium = try ModelConfiguration(shape: "m")
        #expect(medium.chains == [4, 4, 4, 4] && medium.keyValueHeadCount == 4 && medium.headSize == 64)
        let large = try ModelConfiguration(shape: "L")
        #expect(large.chains == [8, 8, 8, 8] && large.keyValueHeadCount == 8 && large.vocabularySize == 32000)
        #expect(large.contextLength == 4096 && !large.tiesEmbeddings)
    }

    @Test func pairsMakeAShapeOrChangeOne() throws {
        let text = "D=1024,layers=16,heads=16,kv=4,chains=4:4:4:4,F=2816,V=16384"
        #expect(try ModelConfiguration(shape: text) == ModelConfiguration(shape: "M"))
        let changed = try ModelConfiguration(shape: "M,chains=2:2:4:8,kv=2,context=128,tied=true")
        #expect(changed.chains == [2, 2, 4, 8] && changed.keyValueHeadCount == 2)
        #expect(changed.contextLength == 128 && changed.tiesEmbeddings)
    }

    @Test(
        arguments: [
            ("", "shape: has ''"), ("X", "shape: has 'X'"), ("M,", "shape: has ''"),
            ("M,width=2", "shape: has 'width=2'"),
            ("D=512,S", "shape: has 'S'"), ("M,V=1,V=2", "shape: V: is given twice"),
            ("M,V=many", "shape: V: is 'many'"),
            ("M,chains=4:4:x", "shape: chains: is '4:4:x'"), ("M,chains=0:16", "shape: chains: is '0:16'"),
            ("M,tied=yes", "shape: tied: is 'yes'"), ("layers=2", "shape: chains: is missing"),
            ("chains=2:2,kv=2", "shape: V: is missing"), ("M,kv=3", "shape: chains: chain 1 has 4 heads"),
            ("M,heads=15", "shape: hidden_size: is 1024"), ("M,chains=9223372036854775807:1", "shape: "),
        ]
    )
    func wrongShapes(text: String, start: String) throws {
        let error = try #require(throws: ModelFileError.self) { try ModelConfiguration(shape: text) }
        #expect(error.description.hasPrefix(start), "\(error)")
    }

    @Test func denseModelOfTheSameWidth() throws {
        let dense = try ModelConfiguration(shape: "L").dense()
        #expect(dense.chains == [32] && dense.keyValueHeadCount == 32 && dense.hiddenSize == 2048)
    }
}
