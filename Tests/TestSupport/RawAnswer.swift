/// An answer as it came over the wire, read by rules of its own and not by those of the module under test.
public struct RawAnswer: Equatable {
    public var status: Int
    /// Names in lower case.
    public var headers: [String: String]
    public var body: String
    /// Each chunk of a chunked body.
    public var chunks: [String] = []
}

extension RawClient {
    /// The next answer, with its body by `Content-Length`, chunks, or the server's end.
    ///
    /// - Parameter hasBody: false for answers to HEAD.
    public func readAnswer(hasBody: Bool = true, within patience: Duration = patience) throws -> RawAnswer {
        let head = try read(until: "\r\n\r\n", within: patience)
        var lines = head.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count > 2, lines[0].hasPrefix("HTTP/1.1 "), let status = Int(lines[0].dropFirst(9).prefix(3)) else {
            throw Failure.malformedAnswer(Array(head.utf8))
        }
        lines.removeFirst()
        var answer = RawAnswer(status: status, headers: [:], body: "")
        for line in lines where !line.isEmpty {
            guard let colon = line.firstIndex(of: ":") else { throw Failure.malformedAnswer(Array(line.utf8)) }
            answer.headers[line[..<colon].lowercased()] = String(line[colon...].dropFirst(2))
        }
        if !hasBody || status < 200 || status == 204 || status == 304 { return answer }
        if answer.headers["transfer-encoding"] == "chunked" {
            while case let chunk = try readChunk(within: patience), !chunk.isEmpty { answer.chunks.append(chunk) }
            answer.body = answer.chunks.joined()
        } else if let length = answer.headers["content-length"].flatMap({ Int($0) }) {
            answer.body = String(decoding: try read(count: length, within: patience), as: UTF8.self)
        } else {
            answer.body = try readToEnd(within: patience)
        }
        return answer
    }

    /// One chunk of a chunked body; empty for the last one.
    public func readChunk(within patience: Duration = patience) throws -> String {
        let line = try read(until: "\r\n", within: patience)
        guard let size = Int(line.dropLast(), radix: 16) else { throw Failure.malformedAnswer(Array(line.utf8)) }
        let data = try read(count: size + 2, within: patience)
        guard data.suffix(2) == [13, 10] else { throw Failure.malformedAnswer(data) }
        return String(decoding: data.dropLast(2), as: UTF8.self)
    }
}
