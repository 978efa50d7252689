import Foundation
import Glibc
import Metrics
import Synchronization
import Testing

@testable import Server

@Suite struct AccessLogTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    private func log(limit: Int = 1 << 20, dropped: Counter = Counter(), path: String) throws -> AccessLog {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try AccessLog(.file(path), limit: limit, dropped: dropped, report: { _ in })
    }

    private func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n").dropLast()
    }

    @Test func appendsLines() throws {
        let path = folder.appendingPathComponent("access.log").path
        for round in 0..<2 {
            let log = try log(path: path)
            for index in 0..<1000 { log.write(Array("\(round) \(index)\n".utf8)) }
            log.flush()
        }
        #expect(try lines(path) == (0..<2).flatMap { round in (0..<1000).map { "\(round) \($0)" } })
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode.map { $0 & 0o007 } == 0, "prompts may be in it")
    }

    /// As logrotate has it: moved away, then SIGHUP. No line is lost or torn.
    @Test func reopensTheFile() throws {
        let (path, old) = (folder.appendingPathComponent("a").path, folder.appendingPathComponent("b").path)
        let log = try log(path: path)
        log.write(Array("one\n".utf8))
        log.flush()
        try FileManager.default.moveItem(atPath: path, toPath: old)
        log.write(Array("two\n".utf8))
        log.reopen()
        log.flush()
        log.write(Array("three\n".utf8))
        log.flush()
        #expect(try lines(old) == ["one", "two"])
        #expect(try lines(path) == ["three"])
    }

    @Test func aFolderThatIsGoneKeepsTheOldFile() throws {
        let path = folder.appendingPathComponent("a").path
        let reports = Mutex<[String]>([])
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let log = try AccessLog(.file(path), limit: 1000, dropped: Counter()) { text in
            reports.withLock { $0.append(text) }
        }
        try FileManager.default.removeItem(at: folder)
        log.reopen()
        log.write(Array("still\n".utf8))
        log.flush()
        #expect(reports.withLock { $0.count } == 1)
        #expect(throws: StartError.self) {
            try AccessLog(.file(path), limit: 1000, dropped: Counter(), report: { _ in })
        }
    }

    /// A line that finds no room is counted, and nobody waits.
    @Test func aFullBufferDropsLines() throws {
        let dropped = Counter()
        let path = folder.appendingPathComponent("a").path
        let log = try log(limit: 10, dropped: dropped, path: path)
        log.write(Array("longer than ten\n".utf8))
        log.write(Array("short\n".utf8))
        log.flush()
        #expect(dropped.value == 1)
        #expect(try lines(path) == ["short"])
    }

    @Test func aDeviceThatIsFullIsCountedAndToldOnce() throws {
        let dropped = Counter()
        let reports = Mutex<[String]>([])
        let log = try AccessLog(.file("/dev/full"), limit: 100, dropped: dropped) { text in
            reports.withLock { $0.append(text) }
        }
        for _ in 0..<3 {
            log.write(Array("a\n".utf8))
            log.flush()
        }
        #expect(dropped.value == 3)
        #expect(reports.withLock { $0.count } == 1)
    }

    /// The end of the server waits for no reader.
    @Test func aPipeThatNobodyReadsHoldsNothingUp() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appendingPathComponent("pipe").path
        try #require(mkfifo(path, 0o600) == 0)
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        let log = try log(path: path)
        let line = Array(repeating: UInt8(ascii: "x"), count: 999) + [UInt8(ascii: "\n")]
        // More than a pipe holds.
        for _ in 0..<500 { log.write(line) }
        log.flush(within: .milliseconds(20))
        // What is read after all comes whole, and lets the queue end.
        var bytes = [UInt8](repeating: 0, count: 1 << 16), count = 0
        while count < 500 * line.count {
            count += max(0, read(reader, &bytes, bytes.count))
        }
        close(reader)
        #expect(count == 500 * line.count)
    }
}
