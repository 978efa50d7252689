import Glibc
import Synchronization

/// A server that answers each connection as a script says, on raw sockets: a thread per connection.
final class FakeServer: Sendable {
    /// A connection as the script sees it.
    struct Connection: Sendable {
        let descriptor: Int32
        /// Counted from 0, in the order of accepting.
        let number: Int

        /// The next request, head and body; nil when the client has closed.
        func readRequest() -> String? {
            var bytes: [UInt8] = []
            while true {
                let text = String(decoding: bytes, as: UTF8.self)
                if let end = text.firstRange(of: "\r\n\r\n") {
                    let length = text[..<end.lowerBound].split(separator: "\r\n")
                        .first { $0.hasPrefix("Content-Length: ") }
                        .flatMap { Int($0.dropFirst(16)) }
                    if text[end.upperBound...].utf8.count >= length ?? 0 { return text }
                }
                var buffer = [UInt8](repeating: 0, count: 16 << 10)
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { return nil }
                bytes += buffer[..<count]
            }
        }

        func send(_ text: String) { send(Array(text.utf8)[...]) }

        private func send(_ bytes: ArraySlice<UInt8>) {
            var rest = bytes
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }

        /// In pieces of `size` bytes, each sent by itself.
        func send(_ text: String, inPiecesOf size: Int) {
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                send(rest.prefix(size))
                rest = rest.dropFirst(size)
                usleep(20)
            }
        }

        /// Ends with a reset in place of an orderly close.
        func reset() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }

        func pause(_ milliseconds: UInt32) { usleep(milliseconds * 1000) }
    }

    let port: UInt16
    private let listener: Int32
    private let accepted = Atomic<Int>(0)

    /// Connections so far.
    var connections: Int { accepted.load(ordering: .relaxed) }
    var url: String { "http://127.0.0.1:\(port)" }

    init(_ script: @escaping @Sendable (Connection) -> Void) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 1024) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        precondition(bound, "cannot listen")
        port = UInt16(bigEndian: address.sin_port)
        Self.run { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                var one: Int32 = 1
                setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
                let number = accepted.add(1, ordering: .relaxed).oldValue
                Self.run {
                    script(Connection(descriptor: descriptor, number: number))
                    close(descriptor)
                }
            }
        }
    }

    /// Stops listening: later connections are refused.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func run(_ body: @escaping @Sendable () -> Void) {
        final class Body: Sendable {
            let call: @Sendable () -> Void
            init(_ call: @escaping @Sendable () -> Void) { self.call = call }
        }
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().call()
                return nil
            },
            Unmanaged.passRetained(Body(body)).toOpaque()
        )
        pthread_detach(thread)
    }
}

/// The texts of answers.
enum Answers {
    static let streamHead =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"

    static func event(_ json: String) -> String { "data: \(json)\n\n" }

    static func token(_ text: String, chains: Int? = nil, finish: String? = nil, stop: String? = nil) -> String {
        let chains = chains.map { ",\"chains\":\($0)" } ?? ""
        let finish = finish.map { "\"\($0)\"" } ?? "null"
        let stop = stop.map { ",\"stop_reason\":\"\($0)\"" } ?? ""
        return event(
            #"{"choices":[{"index":0,"text":"\#(text)","logprobs":null,"finish_reason":\#(finish)\#(chains)\#(stop)}],"usage":null}"#
        )
    }

    static func usage(_ tokens: Int, cached: Int = 0, chains: [Int]? = nil) -> String {
        let details = chains.map { ",\"completion_tokens_details\":{\"chain_tokens\":\($0)}" } ?? ""
        return event(
            #"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":\#(tokens),"#
                + #""prompt_tokens_details":{"cached_tokens":\#(cached)}\#(details)}}"#
        )
    }

    static let done = "data: [DONE]\n\n"
    static let lastChunk = "0\r\n\r\n"

    static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    /// A whole answer of three tokens, the last two at one chain less.
    static let stream =
        streamHead + chunk(token("Once", chains: 3)) + chunk(": ping\n\n" + token(" upon", chains: 2))
        + chunk(token(" é", chains: 2, finish: "length") + usage(3, cached: 4, chains: [0, 2, 1, 0]) + done) + lastChunk

    static func plain(_ status: String, _ body: String, _ headers: String = "") -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static let overloaded = plain(
        "503 Service Unavailable",
        #"{"error":{"message":"busy","type":"server_error","param":null,"code":"server_is_overloaded"}}"#,
        "Retry-After: 3\r\nretry-after-ms: 2500\r\n"
    )
}
