import CShims
import Glibc
import JSON

/// What `GET /v1/models` says.
package enum ServerModels {
    /// The name of the first model that the server lists; nil where it has no such list.
    /// - Throws: when the server cannot be reached, or refuses the key.
    package static func first(of target: Target, apiKey: String?) throws(ClientError) -> String? {
        var head = "GET \(target.basePath)/models HTTP/1.1\r\nHost: \(target.authority)\r\nConnection: close\r\n"
        if let apiKey { head += "Authorization: Bearer \(apiKey)\r\n" }
        let (status, body) = try fetch(Array((head + "\r\n").utf8), from: target)
        guard status != 401 && status != 403 else {
            let problem = apiKey == nil ? "it needs a key" : "the key is none of its own"
            throw ClientError(
                "\(target.url) answers \(status) to GET \(target.basePath)/models: \(problem); give one as CATENA_API_KEY in the "
                    + "environment, or as --api-key"
            )
        }
        guard status == 200, let list = try? JSONParser.parse(body, of: "the list of models").object else { return nil }
        return list["data"]?.array?.first?.object?["id"]?.string
    }

    /// One exchange on a connection of its own, with waits of at most ten seconds.
    private static func fetch(_ request: [UInt8], from target: Target) throws(ClientError) -> (Int, [UInt8]) {
        func refuse() -> ClientError {
            let text =
                errno == EAGAIN || errno == EINPROGRESS ? "no answer within 10 s" : ClientConnection.text(of: errno)
            return ClientError("cannot reach \(target.url): \(text)")
        }
        let descriptor = socket(target.address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw refuse() }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        guard target.address.withPointer({ connect(descriptor, $0, $1) }) == 0 else { throw refuse() }
        let sent = request.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == request.count else { throw refuse() }
        var parser = AnswerParser()
        var status = 0
        var body: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        do throws(AnswerError) {
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count >= 0 else { throw AnswerError(refuse().description) }
                guard count > 0 else {
                    try parser.endOfInput()
                    return (status, body)
                }
                let isOver = try buffer.withUnsafeBufferPointer { (buffer) throws(AnswerError) -> Bool in
                    let bytes = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[..<count]))
                    var offset = 0
                    while let event = try parser.next(bytes, at: &offset) {
                        switch event {
                        case .head(let head): status = head.status
                        case .body(let range): body.append(contentsOf: bytes[range])
                        case .end: return true
                        }
                    }
                    return false
                }
                if isOver { return (status, body) }
                guard body.count <= 4 << 20 else { throw AnswerError("the list of models is longer than 4 MiB") }
            }
        } catch {
            throw ClientError("\(target.url): \(error.problem)")
        }
    }
}
