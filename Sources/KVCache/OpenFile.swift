import Glibc

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
    func read(_ count: Int) throws(SnapshotFolderError) -> [UInt8] {
        var number: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = Glibc.read(descriptor, buffer.baseAddress! + filled, count - filled)
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    number = errno
                    return
                }
            }
        }
        guard number == 0 else { throw SnapshotFolderError(action, path, errno: number) }
        return bytes
    }

    /// Writes all bytes, however few a call takes.
    func write(
        _ bytes: [UInt8],
        by call: (Int32, UnsafeRawBufferPointer) -> Int
    ) throws(SnapshotFolderError) {
        let number = bytes.withUnsafeBytes { bytes -> Int32 in
            var rest = bytes[...]
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
        guard number == 0 else { throw SnapshotFolderError(action, path, errno: number) }
    }

    private func failure() -> SnapshotFolderError { SnapshotFolderError(action, path, errno: errno) }
}

extension stat {
    var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }

    /// Time of the last change, since 1970.
    var modified: Duration { .seconds(st_mtim.tv_sec) + .nanoseconds(st_mtim.tv_nsec) }
}
