// The second tier of sessions: a folder with one file a snapshot.

import Glibc
import Synchronization
import Tensor

/// Keeps snapshots in a folder that outlives the process: the least recently used go when the folder is full, and idle
/// ones when their time is over.
///
/// ```swift
/// let folder = try SnapshotFolder(path: "/var/lib/catena/sessions", maxBytes: 1 << 30, timeToLive: .seconds(86_400))
/// try folder.store("chat-7", snapshot.encoded())
/// let bytes = try folder.load("chat-7")
/// ```
///
/// A snapshot appears under its name as a whole or not at all: it is written beside, flushed to the disk, and renamed; so
/// neither `kill -9` nor a power cut leaves half of one. What is in the files is not looked at here: whoever loads one must
/// check that it is what it should be, as ``KVSnapshot`` does with the name in it.
///
/// The folder may hold other files, which are neither counted nor touched, and several processes may share it: a file is
/// found whoever wrote it, but each process counts by itself, so together they may keep more than `maxBytes` for a while.
///
/// All calls block on the disk, one after the other, but ``list()`` and ``byteCount``: never call the others from the engine
/// thread.
public final class SnapshotFolder: Sendable {
    /// A snapshot in the folder.
    public struct Entry: Sendable, Hashable {
        /// The session's name.
        public var name: String
        public var byteCount: Int
        /// When it was last stored or loaded, since 1970.
        public var lastUsed: Duration
    }

    public let path: String
    public let maxBytes: Int
    public let timeToLive: Duration
    private let now: @Sendable () -> Duration
    private let disk: DiskCalls
    /// Held while files change.
    private let files = Mutex(())
    /// Held for moments.
    private let index = Mutex(SnapshotFolderIndex())

    /// Creates the folder if it is not there, removes what writers that died left in it, and lists its snapshots without
    /// reading them. Those beyond the limits go.
    ///
    /// - Parameters:
    ///   - path: created with mode 0700; the mode of a folder that is there is left alone. Files have mode 0600.
    ///   - maxBytes: the most that all snapshots together take; while one is replaced, its old version is not counted
    ///   - timeToLive: how long a snapshot is kept that nobody stores or loads
    ///   - now: the time since 1970
    /// - Throws: ``SnapshotFolderError`` when the path is no folder or not for this user to read and write.
    public convenience init(
        path: String,
        maxBytes: Int,
        timeToLive: Duration,
        now: @escaping @Sendable () -> Duration = { SnapshotFolder.systemTime }
    ) throws(SnapshotFolderError) {
        try self.init(path: path, maxBytes: maxBytes, timeToLive: timeToLive, now: now, disk: DiskCalls())
    }

    /// - Parameter disk: the calls that fail in tests
    init(
        path: String,
        maxBytes: Int,
        timeToLive: Duration,
        now: @escaping @Sendable () -> Duration,
        disk: DiskCalls
    ) throws(SnapshotFolderError) {
        self.path = path
        self.maxBytes = maxBytes
        self.timeToLive = timeToLive
        self.now = now
        self.disk = disk
        try Folder.create(path)
        guard access(path, R_OK | W_OK | X_OK) == 0 else { throw SnapshotFolderError("use", path, errno: errno) }
        try scan()
        _ = try dropExpired()
        _ = try makeRoom(for: 0, keeping: nil)
    }

    // MARK: Snapshots

    /// Snapshots in the folder, the most recently used first.
    public func list() -> [Entry] {
        index.withLock { $0.entries }
            .map { Entry(name: $0.key.name, byteCount: $0.value.byteCount, lastUsed: $0.value.lastUsed) }
            .sorted { ($1.lastUsed, $0.name) < ($0.lastUsed, $1.name) }
    }

    /// Bytes of all snapshots.
    public var byteCount: Int { index.withLock { $0.byteCount } }

    /// Writes a snapshot in the place of an older one of that name, if there is one. When this returns it is on the disk;
    /// when it throws, the older one is still there.
    ///
    /// - Returns: the names of snapshots that went, because their time was over or to make room.
    @discardableResult
    public func store(_ name: String, _ bytes: some RandomAccessCollection<UInt8>) throws(SnapshotFolderError)
        -> [String]
    {
        let file = try fileName(of: name, to: "write")
        guard bytes.count <= maxBytes else {
            throw SnapshotFolderError("write", path(of: file), .tooLarge(bytes: bytes.count, limit: maxBytes))
        }
        return try files.withLock { _ throws(SnapshotFolderError) in
            var gone = try dropExpired()
            gone += try makeRoom(for: bytes.count, keeping: file)
            let time = now()
            try replace(file, with: bytes, modified: time)
            index.withLock { $0[file] = .init(byteCount: bytes.count, lastUsed: time) }
            try flushFolder()
            return gone.filter { $0 != file }.map(\.name)
        }
    }

    /// A snapshot's bytes, which count as used now; nil when there is none of that name, or its time is over.
    ///
    /// - Parameter watcher: hears of them while they come.
    public func load(
        _ name: String,
        watcher: SharedBytes.Watcher? = nil
    ) throws(SnapshotFolderError) -> SharedBytes? {
        let file = try fileName(of: name, to: "read")
        return try files.withLock { _ throws(SnapshotFolderError) in try read(file, watcher) }
    }

    /// Removes a snapshot. Returns whether there was one.
    @discardableResult
    public func remove(_ name: String) throws(SnapshotFolderError) -> Bool {
        let file = try fileName(of: name, to: "remove")
        return try files.withLock { _ throws(SnapshotFolderError) in
            let wasThere = try unlink(file)
            if wasThere { try flushFolder() }
            return wasThere
        }
    }

    /// Removes the snapshots whose time is over, and returns their names. Storing does so too; a quiet server should ask
    /// now and then.
    public func removeExpired() throws(SnapshotFolderError) -> [String] {
        try files.withLock { _ throws(SnapshotFolderError) in try dropExpired().map(\.name) }
    }

    // MARK: Files, while `files` is held

    private func read(
        _ file: SnapshotFileName,
        _ watcher: SharedBytes.Watcher?
    ) throws(SnapshotFolderError) -> SharedBytes? {
        let path = path(of: file)
        // O_NONBLOCK, as opening a pipe at the path would block.
        guard let opened = try OpenFile.ifExists(path, O_RDONLY | O_NONBLOCK, to: "read") else {
            index.withLock { $0[file] = nil }
            guard access(self.path, F_OK) == 0 else { throw SnapshotFolderError("read", self.path, errno: errno) }
            return nil
        }
        let status = try opened.status()
        guard status.isRegularFile else { throw SnapshotFolderError("read", path, .notAFile) }
        let time = now()
        if time - status.modified > timeToLive {
            _ = try unlink(file)
            return nil
        }
        let size = Int(status.st_size)
        guard size <= maxBytes else {
            throw SnapshotFolderError("read", path, .tooLarge(bytes: size, limit: maxBytes))
        }
        let bytes = try opened.read(size, watcher)
        // Where the time cannot be set, the snapshot looks older than it is. It is right all the same.
        try? opened.setModified(time)
        index.withLock { $0[file] = .init(byteCount: size, lastUsed: time) }
        return bytes
    }

    /// Writes beside the file and renames, so that there is an old version or a new one at any time.
    private func replace(
        _ file: SnapshotFileName,
        with bytes: some RandomAccessCollection<UInt8>,
        modified: Duration
    ) throws(SnapshotFolderError) {
        let temporary = path + "/" + TemporaryName.make()
        let opened = try OpenFile(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, to: "write")
        var isRenamed = false
        defer { if !isRenamed { _ = Glibc.unlink(temporary) } }
        _ = opened.lock()  // tells others that share the folder that its writer lives
        try opened.write(bytes, by: disk.write)
        try opened.setModified(modified)
        guard disk.flush(opened.descriptor) == 0 else { throw SnapshotFolderError("write", temporary, errno: errno) }
        guard rename(temporary, path(of: file)) == 0 else {
            throw SnapshotFolderError("write", path(of: file), errno: errno)
        }
        isRenamed = true
        withExtendedLifetime(opened) {}  // with its lock
    }

    /// Whether there was a file.
    private func unlink(_ file: SnapshotFileName) throws(SnapshotFolderError) -> Bool {
        let result = Glibc.unlink(path(of: file))
        guard result == 0 || errno == ENOENT else {
            throw SnapshotFolderError("remove", path(of: file), errno: errno)
        }
        index.withLock { $0[file] = nil }
        return result == 0
    }

    /// Makes new and vanished names durable.
    private func flushFolder() throws(SnapshotFolderError) {
        // With a dot, as the path may be a link.
        let folder = try OpenFile(path + "/.", O_RDONLY | O_DIRECTORY, to: "write")
        guard disk.flush(folder.descriptor) == 0 else { throw SnapshotFolderError("write", path, errno: errno) }
    }

    private func dropExpired() throws(SnapshotFolderError) -> [SnapshotFileName] {
        let time = now()
        let expired = index.withLock { $0.expired(now: time, timeToLive: timeToLive) }
        for file in expired { _ = try unlink(file) }
        return expired
    }

    /// Evicts until `bytes` more fit, counting all snapshots but `kept`.
    private func makeRoom(
        for bytes: Int,
        keeping kept: SnapshotFileName?
    ) throws(SnapshotFolderError) -> [SnapshotFileName] {
        var evicted: [SnapshotFileName] = []
        while let victim = index.withLock({ $0.victim(limit: maxBytes - bytes, keeping: kept) }) {
            _ = try unlink(victim)
            evicted.append(victim)
        }
        return evicted
    }

    /// Fills the index, and sweeps files whose writers are gone.
    private func scan() throws(SnapshotFolderError) {
        for name in try Folder.names(in: path) {
            let path = path + "/" + name
            if TemporaryName.matches(name) {
                // One that cannot be opened is left alone: it is in nobody's way.
                if let opened = try? OpenFile.ifExists(path, O_RDONLY, to: "read"), opened.lock() {
                    _ = Glibc.unlink(path)
                }
            } else if let file = SnapshotFileName(file: name) {
                var status = stat()
                guard lstat(path, &status) == 0, status.isRegularFile else { continue }
                index.withLock { $0[file] = .init(byteCount: Int(status.st_size), lastUsed: status.modified) }
            }
        }
    }

    private func fileName(of name: String, to action: String) throws(SnapshotFolderError) -> SnapshotFileName {
        guard let file = SnapshotFileName(name: name) else {
            throw SnapshotFolderError(action, path, .unusableName(bytes: name.utf8.count))
        }
        return file
    }

    private func path(of file: SnapshotFileName) -> String { path + "/" + file.text }

    /// The system's clock, since 1970.
    public static var systemTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// The calls that bring the bytes to the disk: tests let them fail.
struct DiskCalls: Sendable {
    /// As write(2).
    var write: @Sendable (Int32, UnsafeRawBufferPointer) -> Int = { Glibc.write($0, $1.baseAddress, $1.count) }
    /// As fsync(2).
    var flush: @Sendable (Int32) -> Int32 = { fsync($0) }
}

/// Names of files that are being written.
private enum TemporaryName {
    private static let prefix = ".catena-"
    private static let suffix = ".tmp"

    static func make() -> String { prefix + String(UInt64.random(in: 0...UInt64.max), radix: 16) + suffix }

    static func matches(_ name: String) -> Bool { name.hasPrefix(prefix) && name.hasSuffix(suffix) }
}
