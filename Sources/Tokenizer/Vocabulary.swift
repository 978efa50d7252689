// The tokens by id: how each is spelled in the file and which bytes it stands for.

import JSON

/// All tokens, ids 0 to ``count``, without gaps.
struct Vocabulary: Sendable {
    /// The token as the file spells it, by id.
    let texts: [String]
    let isSpecial: [Bool]
    /// The token of each single byte.
    let idOfByte: [Int32]

    /// The bytes of all tokens on end, and where each begins; one more start than tokens.
    private let bytes: [UInt8]
    private let starts: [Int]
    private let ids: [ExactKey: Int32]
    /// Tokens that merging can make, by bytes; only filled when whole words are looked up.
    private let idsByBytes: [[UInt8]: Int32]

    var count: Int { texts.count }

    /// - Parameters:
    ///   - texts: the tokens by id, all different.
    ///   - ids: the same by spelling.
    ///   - isOfModel: whether the token is of the merging model and not only added to it, by id.
    ///   - isSpecial: by id.
    ///   - idOfByte: the token of each byte.
    ///   - indexesWords: whether ``id(ofBytes:)`` is going to be asked.
    init(
        texts: [String],
        ids: [ExactKey: Int32],
        isOfModel: [Bool],
        isSpecial: [Bool],
        idOfByte: [Int32],
        indexesWords: Bool
    ) {
        self.texts = texts
        self.ids = ids
        self.isSpecial = isSpecial
        self.idOfByte = idOfByte
        var bytes: [UInt8] = []
        var starts: [Int] = []
        var idsByBytes: [[UInt8]: Int32] = [:]
        for (id, text) in texts.enumerated() {
            starts.append(bytes.count)
            // A token outside the alphabet stands for itself, as in the `tokenizers` package.
            let alphabetic = ByteAlphabet.bytes(of: text)
            bytes += alphabetic ?? Array(text.utf8)
            if indexesWords, isOfModel[id], let alphabetic { idsByBytes[alphabetic] = Int32(id) }
        }
        starts.append(bytes.count)
        self.bytes = bytes
        self.starts = starts
        self.idsByBytes = idsByBytes
    }

    func contains(_ id: Int32) -> Bool { texts.indices.contains(Int(id)) }

    func bytes(of id: Int32) -> ArraySlice<UInt8> { bytes[starts[Int(id)]..<starts[Int(id) + 1]] }

    func id(of text: String) -> Int32? { ids[ExactKey(text: text)] }

    func id(ofBytes bytes: [UInt8]) -> Int32? { idsByBytes[bytes] }
}
