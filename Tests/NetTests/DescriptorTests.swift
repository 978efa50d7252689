import Foundation
import Glibc
import HTTP1
import Net
import TestSupport
import Testing

/// In processes of their own, where nobody else opens descriptors.
@Suite struct DescriptorTests {
    private static func openDescriptors() -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
    }

    /// Attack: open, send something, reset; descriptors of connections that died in the wrong moment pile up.
    @Test func resetStormsLeakNothing() async {
        await #expect(processExitsWith: .success) {
            let held = Box<[any Responder]>([])
            let server = try TestServer { request, responder in
                switch request.head.path {
                case "/hold": held.update { $0.append(responder) }
                case "/big": responder.respond(Response(ResponseHead(.ok), body: [UInt8](repeating: 1, count: 8 << 20)))
                default: responder.respond(Response(.ok, text: "ok"))
                }
            }
            let before = DescriptorTests.openDescriptors()
            // `/big` to a client that does not read makes a write source and its second descriptor.
            let texts = [
                "", "GET / HT", "/".get, "/hold".get, "/big".get, "nonsense\n", "POST / HTTP/1.1\r\nHost: a\r\n",
            ]
            for round in 0..<4 {
                let clients = try (0..<200).map { _ in try server.client(receiveBuffer: 4096) }
                for (index, client) in clients.enumerated() { client.send(texts[(index + round) % texts.count]) }
                usleep(20_000)
                for (index, client) in clients.enumerated() {
                    if index % 2 == 0 { client.reset() } else { client.close() }
                }
            }
            #expect(eventually { server.server.connectionCount == 0 }, "\(server.server.connectionCount) are left")
            #expect(eventually { DescriptorTests.openDescriptors() == before }, "descriptors leak")
            let client = try server.client()
            client.send("/".get)
            #expect(try client.readAnswer().status == 200)
        }
    }

    /// No descriptor left: clients wait in the backlog, the processor rests, and all are served when there is room.
    @Test func runningOutOfDescriptorsNeitherSpinsNorFails() async {
        await #expect(processExitsWith: .success) {
            let server = try TestServer()
            let clients = try (0..<40).map { _ in try server.client() }
            #expect(eventually { server.server.connectionCount == 40 })
            var limit = rlimit(rlim_cur: 200, rlim_max: 200)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var fillers: [Int32] = []
            while case let filler = open("/dev/null", O_RDONLY), filler >= 0 { fillers.append(filler) }
            // One is left: the client's own end. The server has none to accept it with.
            close(fillers.removeLast())
            let last = try RawClient(port: server.port)
            last.send("/last".get)
            var usage = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &usage)
            let start = Double(usage.tv_sec) + Double(usage.tv_nsec) / 1e9
            #expect(last.staysSilent(for: .milliseconds(500)), "it was accepted; the limit does not bite")
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &usage)
            let used = Double(usage.tv_sec) + Double(usage.tv_nsec) / 1e9 - start
            #expect(used < 0.2, "\(used) s of processor time in 0.5 s of waiting")
            for client in clients { client.close() }
            #expect(try last.readAnswer().body == "/last")
            withExtendedLifetime(last) { #expect(eventually { server.server.connectionCount == 1 }) }
        }
    }
}
