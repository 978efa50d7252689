// One header or trailer line: `field-name ":" OWS field-value OWS` (RFC 9112, 5).

extension HTTPHeaders.Field {
    /// Finds name and value in a line whose bytes lie in a larger array; the offsets are that array's.
    init(line: ArraySlice<UInt8>) throws(RequestError) {
        // RFC 9112, 5.2. Attack: a folded `Transfer-Encoding` that one hop joins and the next ignores.
        guard line.first?.isWhitespace != true else { throw .obsoleteFolding }
        guard let colon = line.firstIndex(of: .colon) else { throw .missingColon }
        let name = line[..<colon]
        guard !name.isEmpty else { throw .emptyFieldName }
        for byte in name where !byte.isTokenCharacter {
            // RFC 9112, 5.1: refuse white space before the colon. Attack: `Content-Length : 5`, known to one hop only.
            if byte.isWhitespace && name.suffix(from: name.firstIndex(of: byte) ?? colon).allSatisfy(\.isWhitespace) {
                throw .whitespaceBeforeColon
            }
            throw .invalidFieldNameByte(byte)
        }
        let value = trimmingWhitespace(line[(colon + 1)...])
        self.init(
            name: Int32(name.startIndex)..<Int32(name.endIndex),
            value: Int32(value.startIndex)..<Int32(value.endIndex)
        )
    }
}
