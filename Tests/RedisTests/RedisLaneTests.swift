import Foundation
import Glibc
import Synchronization
import Tensor
import Testing

@testable import Redis

/// Connections and lanes against a peer that says what it is told to, or nothing at all. Real ones are in Tests/EndToEnd.
@Suite struct RedisLaneTests {
    private func lane(_ port: UInt16, _ password: RedisEndpoint.Password = .none, failures: Int = 2) -> RedisLane {
        var endpoint = RedisEndpoint(.tcp(host: "127.0.0.1", port: port))
        endpoint.password = password
        let rules = CircuitBreaker.Rules(failures: failures, pause: .seconds(3600))
        return RedisLane(name: "test", endpoint: endpoint, connectTimeout: .seconds(20), rules: rules) { _, _ in }
    }

    private func ask(_ lane: RedisLane, _ words: String..., within limit: Duration = .seconds(20)) throws(RedisError)
        -> RedisReply
    {
        try lane.run(within: limit) { (redis, deadline) throws(RedisError) in
            try redis.exchange([RedisCommand(words)], until: deadline)[0]
        }
    }

    @Test func answersOfEveryKind() throws {
        let peer = try ScriptedPeer([
            "+OK\r\n", "$3\r\na\r\n\r\n", "$-1\r\n", ":-7\r\n", "*3\r\n:1\r\n$1\r\nx\r\n*-1\r\n", "$0\r\n\r\n",
        ])
        let lane = lane(peer.port)
        #expect(try ask(lane, "GET", "a") == .bytes(Array("a\r\n".utf8)))
        #expect(try ask(lane, "GET", "b") == .none)
        #expect(try ask(lane, "INCR", "c") == .integer(-7))
        #expect(try ask(lane, "MGET", "d") == .array([.integer(1), .bytes([0x78]), .none]))
        #expect(try ask(lane, "GET", "") == .bytes([]))
        #expect(
            peer.heard.hasPrefix(
                "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$6\r\ncatena\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
            )
        )
        #expect(peer.heard.hasSuffix("*2\r\n$3\r\nGET\r\n$0\r\n\r\n"))
    }

    private func values(_ lane: RedisLane, _ count: Int, within limit: Duration = .seconds(20)) throws(RedisError)
        -> SharedBytes?
    {
        try lane.run(within: limit) { (redis, deadline) throws(RedisError) in
            try redis.values(of: ["a", "b"], count: count, until: deadline)
        }
    }

    @Test func valuesAreJoined() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "$3\r\na\r\n\r\n", "$2\r\nbc\r\n", "$0\r\n\r\n", "$5\r\n$-1\r\n\r\n"])
        let lane = lane(peer.port)
        #expect(try values(lane, 5) == SharedBytes("a\r\nbc".utf8))
        #expect(try values(lane, 5) == SharedBytes("$-1\r\n".utf8))
        #expect(peer.connections == 1)
    }

    /// Whoever watches sees the first bytes before the last ones are there, and what is there is right.
    @Test func valuesAreWatchedWhileTheyCome() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "$3\r\nabc\r\n", "$2\r\nde\r\n"])
        let seen = Mutex<[String]>([])
        _ = try lane(peer.port).run(within: .seconds(20)) { (redis, deadline) throws(RedisError) in
            let watcher: SharedBytes.Watcher = { bytes in
                seen.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
            }
            return try redis.values(of: ["a", "b"], count: 5, watcher: watcher, until: deadline)
        }
        let all = seen.withLock { $0 }
        #expect(all.first == "" && all.last == "abcde" && all.contains("abc"))
        #expect(zip(all, all.dropFirst()).allSatisfy { $1.hasPrefix($0) })
    }

    /// Of large values two are under way, and the first one is asked for alone, so that it comes before Redis has the next.
    @Test func valuesAreAskedForAFewAtATime() throws {
        let size = 1 << 20
        let value = String(repeating: "v", count: size)
        let peer = try ScriptedPeer(["+OK\r\n"] + Array(repeating: "$\(size)\r\n\(value)\r\n", count: 5))
        let asked = Mutex<[Int]>([])
        let bytes = try lane(peer.port).run(within: .seconds(60)) { (redis, deadline) throws(RedisError) in
            let watcher: SharedBytes.Watcher = { bytes in
                let gets = peer.heard.components(separatedBy: "GET").count - 1
                if bytes.count.isMultiple(of: size) { asked.withLock { $0.append(gets) } }
            }
            return try redis.values(of: ["a", "b", "c", "d", "e"], count: 5 * size, watcher: watcher, until: deadline)
        }
        #expect(bytes?.count == 5 * size)
        let gets = asked.withLock { $0 }
        #expect(gets.count == 6 && gets[0] == 0)
        for (place, count) in gets.enumerated().dropFirst() { #expect(count <= place + 1) }
        #expect(peer.heard.components(separatedBy: "GET").count == 6)
    }

    @Test func aValueIsSetAsItIs() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "+OK\r\n", "-OOM no room\r\n", "+OK\r\n", ":1\r\n"])
        let lane = lane(peer.port)
        func set(_ value: SharedBytes) throws(RedisError) {
            try lane.run(within: .seconds(20)) { (redis, deadline) throws(RedisError) in
                try redis.set("key", to: value, milliseconds: 60_000, until: deadline)
            }
        }
        try set(SharedBytes("a\r\nb".utf8))
        #expect(peer.heard.hasSuffix("*5\r\n$3\r\nSET\r\n$3\r\nkey\r\n$4\r\na\r\nb\r\n$2\r\nPX\r\n$5\r\n60000\r\n"))
        #expect(throws: RedisError.refused("OOM no room")) { try set([1]) }
        #expect(peer.connections == 1)
        // A new connection, whose script begins again with the greeting.
        try set([1])
        #expect(peer.connections == 2)
    }

    /// A job that has begun and learns how much there is to do gets more time; its caller waits as long.
    @Test func aDeadlineIsPutOff() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "+OK\r\n"])
        let result = try lane(peer.port).run(startingWith: .milliseconds(200)) { (redis, deadline) throws(RedisError) in
            _ = try redis.exchange([RedisCommand(["PING"])], until: deadline.instant)
            deadline.putOff(by: .seconds(20))
            usleep(400_000)
            return 7
        }
        #expect(result == 7)
        // One that does not is given up.
        #expect(throws: RedisError.timedOut) {
            try lane(peer.port).run(startingWith: .milliseconds(20)) { (_, _) throws(RedisError) in usleep(400_000) }
        }
    }

    private func askHere(_ lane: RedisLane, _ body: @escaping @Sendable (RedisConnection) -> Void = { _ in })
        throws(RedisError) -> (reply: RedisReply, thread: UInt)
    {
        try lane.runHere(startingWith: .seconds(20)) { (redis, deadline) throws(RedisError) in
            body(redis)
            return (try redis.exchange([RedisCommand(["PING"])], until: deadline.instant)[0], UInt(pthread_self()))
        }
    }

    /// A connection that stands is borrowed; the first one, and one in the place of a broken one, are the thread's to make.
    @Test func aConnectionIsBorrowedWhileItStands() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "+1\r\n", "+2\r\n"])
        let lane = lane(peer.port)
        let here = UInt(pthread_self())
        let first = try askHere(lane)
        #expect(first.reply == .status("1") && first.thread != here)
        let second = try askHere(lane)
        #expect(second.reply == .status("2") && second.thread == here)
        let tries = Mutex(0)
        let third = try askHere(lane) { redis in
            let isFirst = tries.withLock { tries in
                tries += 1
                return tries == 1
            }
            if isFirst { redis.close() }
        }
        #expect(third.reply == .status("1") && third.thread != here)
        #expect(tries.withLock { $0 } == 2)
        #expect(peer.connections == 2)
    }

    /// Others wait for a connection that is borrowed, no longer than they say, and have it next.
    @Test func aBorrowedConnectionIsWaitedFor() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "+1\r\n", "+2\r\n", "+3\r\n", "+4\r\n"])
        let lane = lane(peer.port)
        #expect(try askHere(lane).reply == .status("1"))
        let waited = DispatchSemaphore(value: 0)
        let others = Mutex<[RedisReply]>([])
        _ = try askHere(lane) { _ in
            #expect(throws: RedisError.timedOut) { try ask(lane, "PING", within: .milliseconds(20)) }
            Thread {
                let reply = try? ask(lane, "PING")
                others.withLock { $0.append(reply ?? .none) }
                waited.signal()
            }.start()
            usleep(20_000)
        }
        waited.wait()
        #expect(others.withLock { $0 } == [.status("3")])
        #expect(peer.connections == 1)
    }

    @Test func aBorrowedConnectionThatIsSilentCounts() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "+1\r\n"])
        let lane = lane(peer.port, failures: 1)
        #expect(try askHere(lane).reply == .status("1"))
        #expect(throws: RedisError.timedOut) {
            try lane.runHere(startingWith: .milliseconds(20)) { (redis, deadline) throws(RedisError) in
                try redis.exchange([RedisCommand(["PING"])], until: deadline.instant)
            }
        }
        #expect(throws: RedisError.leftAlone) { try askHere(lane) }
        #expect(peer.connections == 1)
    }

    @Test(arguments: [
        (["$-1\r\n", "$2\r\nbc\r\n"], 5, nil), (["$3\r\nabc\r\n", "$-1\r\n"], 5, nil),
        (["$3\r\nabc\r\n", "$3\r\nabc\r\n"], 5, RedisError.unexpected("a value of 3 bytes")),
        (["$3\r\nabc\r\n", "$1\r\nd\r\n"], 5, .unexpected("4 bytes where 5 were to be")),
        (["$-2\r\n"], 5, .unexpected("a value of -2 bytes")), ([":5\r\n"], 5, .unexpected(":5")),
        (["$3\r\nabcde\r\n"], 5, .unexpected("bytes behind a value")),
        (["-LOADING wait\r\n"], 5, .refused("LOADING wait")), (["$3\r\nab"], 5, .timedOut),
        ([String(repeating: "x", count: 2000)], 5, .unexpected("a line without an end")),
    ])
    func valuesThatAreNotThere(answers: [String], count: Int, error: RedisError?) throws {
        let peer = try ScriptedPeer(["+OK\r\n"] + answers)
        let lane = lane(peer.port)
        let limit: Duration = error == .timedOut ? .milliseconds(50) : .seconds(20)
        if let error {
            #expect(throws: error) { try values(lane, count, within: limit) }
        } else {
            #expect(try values(lane, count) == nil)
        }
        // Whatever else was to come on that connection is not taken for the next answer.
        _ = try? ask(lane, "PING", within: .milliseconds(20))
        #expect(peer.connections == 2)
    }

    /// What is behind an error on the same connection belongs to nobody: the next one is a new one.
    @Test func anErrorEndsTheConnectionAndIsNoOutage() throws {
        let peer = try ScriptedPeer(["+OK\r\n", "-OOM no room\r\n"])
        let lane = lane(peer.port, failures: 1)
        for _ in 0..<3 {
            #expect(throws: RedisError.refused("OOM no room")) { try ask(lane, "SET", "a", "b") }
        }
        #expect(peer.connections == 3)
    }

    @Test func loginThatIsRefused() throws {
        let peer = try ScriptedPeer(["-WRONGPASS no\r\n", "+OK\r\n"])
        let lane = lane(peer.port, .text("secret"))
        #expect(throws: RedisError.denied("WRONGPASS no")) { try ask(lane, "PING") }
        #expect(peer.heard.hasPrefix("*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"))
    }

    @Test func nobodyListens() {
        let lane = lane(1)
        for _ in 0..<2 {
            #expect(throws: RedisError.unreachable("Connection refused")) { try ask(lane, "PING") }
        }
        #expect(throws: RedisError.leftAlone) { try ask(lane, "PING") }
    }

    @Test func aSocketThatIsNotThere() {
        let rules = CircuitBreaker.Rules(failures: 2, pause: .seconds(3600))
        let endpoint = RedisEndpoint(.unix(path: "/does/not/exist"))
        let lane = RedisLane(name: "test", endpoint: endpoint, connectTimeout: .seconds(20), rules: rules) { _, _ in }
        #expect(throws: RedisError.unreachable("No such file or directory")) { try ask(lane, "PING") }
    }

    @Test func aPeerThatIsSilent() throws {
        let peer = try ScriptedPeer([])
        let lane = lane(peer.port)
        for _ in 0..<2 {
            #expect(throws: RedisError.timedOut) { try ask(lane, "PING", within: .milliseconds(20)) }
        }
        #expect(throws: RedisError.leftAlone) { try ask(lane, "PING") }
    }

    @Test func aPeerThatIsNoRedis() throws {
        let peer = try ScriptedPeer(["HTTP/1.1 400 Bad Request\r\n\r\n"])
        let error = #expect(throws: RedisError.self) { try ask(lane(peer.port), "PING") }
        #expect(error?.isOutage == true)
    }

    @Test func aPasswordFileThatIsOfNoUse() throws {
        let error = #expect(throws: RedisError.self) { try ask(lane(1, .file(path: "/does/not/exist")), "PING") }
        #expect(error?.description.contains("/does/not/exist") == true)
    }
}

/// Listens on a port of its own, and answers each command it hears on a connection with the next of its texts.
private final class ScriptedPeer: Sendable {
    private struct State {
        var heard = ""
        var connections = 0
    }

    let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())

    var heard: String { state.withLock { $0.heard } }
    var connections: Int { state.withLock { $0.connections } }

    struct Failed: Error {}

    init(_ answers: [String]) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isBound, listen(listener, 8) == 0 else { throw Failed() }
        let thread = Thread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                self?.serve(connection, answers)
                close(connection)
            }
        }
        thread.start()
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve(_ connection: Int32, _ answers: [String]) {
        state.withLock { $0.connections += 1 }
        var left = answers[...]
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            let text = String(decoding: buffer[..<count], as: UTF8.self)
            state.withLock { $0.heard += text }
            // Arguments here hold no asterisk, so each begins a command.
            for _ in 0..<text.count(where: { $0 == "*" }) {
                guard let answer = left.popFirst() else { break }
                _ = answer.withCString { write(connection, $0, strlen($0)) }
            }
        }
    }
}
