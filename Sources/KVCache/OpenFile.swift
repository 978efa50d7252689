import Glibc
import Tensor

/// Owner of an open file of the snapshot folder: closed when it goes out of scope.
struct OpenFile: ~Copyable {
    let descriptor: Int32
    private let path: String
    private let action: String

    /// Opens the file at a path; a link there is not followed.
    ///
    /// - Parameter action: what it is opened for, as errors say it
    init(_ path: String, _ flags: Int32, mode: mode_t = 0, to action: String) throws(SnapshotFolderError) {
        let descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw SnapshotFolderError(action, path, errno: errno) }
        self.init(descriptor: descriptor, path: path, action: action)
    }

    private init(descriptor: Int32, path: String, action: String) {
        self.descriptor = descriptor
        self.path = path
        self.action = action
    }

    /// The same, but nil when nothing is at the path.
    static func ifExists(
        _ path: String,
        _ flags: Int32,
        to action: String
    ) throws(SnapshotFolderError) -> OpenFile? {
        let descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW)
        if descriptor >= 0 { return OpenFile(descriptor: descriptor, path: path, action: action) }
        guard errno == ENOENT else { throw SnapshotFolderError(action, path, errno: errno) }
        return nil
    }

    deinit { close(descriptor) }

    func status() throws(SnapshotFolderError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure() }
        return status
    }

    /// Locks the file for this owner, until it is closed or the process ends. Returns whether nobody else had locked it.
    func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    /// Sets the time of the last change, since 1970: it says when a snapshot was last used.
    func setModified(_ time: Duration) throws(SnapshotFolderError) {
        let (seconds, attoseconds) = time.components
        let modified = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        guard futimens(descriptor, [modified, modified]) == 0 else { throw failure() }
    }

    /// The first `count` bytes; fewer when the file ends before.
    ///
    /// - Parameter watcher: hears of them, some at a time.
    func read(_ count: Int, _ watcher: SharedBytes.Watcher?) throws(SnapshotFolderError) -> SharedBytes {
        var filled = 0
        let bytes = try SharedBytes(count: count, watchedBy: watcher) { (buffer, note) throws(SnapshotFolderError) in
            while filled < count {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<min(count, filled + Self.readBytes)])
                let got = Glibc.read(descriptor, part.baseAddress, part.count)
                if got > 0 {
                    filled += got
                    note(filled)
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    throw failure()
                }
            }
        }
        return bytes[..<filled]
    }

    /// Read at once at most: what a processor's own cache holds, for whoever looks at them.
    private static let readBytes = 256 << 10

    /// Writes all bytes, however few a call takes.
    ///
    /// - Parameter bytes: that stand in one run of memory; others are copied into one first.
    func write(
        _ bytes: some RandomAccessCollection<UInt8>,
        by call: (Int32, UnsafeRawBufferPointer) -> Int
    ) throws(SnapshotFolderError) {
        func writeAll(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                let written = call(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if written >= 0 {
                    rest = rest.dropFirst(written)
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
        let number =
            bytes.withContiguousStorageIfAvailable(writeAll) ?? Array(bytes).withUnsafeBufferPointer(writeAll)
        guard number == 0 else { throw SnapshotFolderError(action, path, errno: number) }
    }

    private func failure() -> SnapshotFolderError { SnapshotFolderError(action, path, errno: errno) }
}

extension stat {
    var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }

    /// Time of the last change, since 1970.
    var modified: Duration { .seconds(st_mtim.tv_sec) + .nanoseconds(st_mtim.tv_nsec) }
}
