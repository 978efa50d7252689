// Full disks, missing permissions, vanished folders, files that are not ours.

import Glibc
import Synchronization
import Testing

@testable import KVCache

/// setfsuid(2) changes whose permissions the calling thread has on files, and nothing else: tests run as root, too.
@_silgen_name("setfsuid") private func setFileSystemUser(_ user: UInt32) -> Int32

@Suite struct SnapshotFolderFailureTests {
    let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    private func open(
        _ name: String = "kv",
        maxBytes: Int = 1000,
        disk: DiskCalls = DiskCalls()
    ) throws(SnapshotFolderError) -> SnapshotFolder {
        try SnapshotFolder(
            path: scratch.path(name),
            maxBytes: maxBytes,
            timeToLive: .seconds(3600),
            now: { SnapshotFolder.systemTime },
            disk: disk
        )
    }

    /// The error of `body`, which must throw.
    private func error(
        _ body: () throws(SnapshotFolderError) -> Void,
        _ location: SourceLocation = #_sourceLocation
    ) -> SnapshotFolderError? {
        do throws(SnapshotFolderError) {
            try body()
            Issue.record("did not throw", sourceLocation: location)
            return nil
        } catch {
            return error
        }
    }

    // MARK: The disk

    @Test func aFullDiskLeavesTheOldVersion() throws {
        try open().store("a", [1, 2, 3])
        let left = Mutex(100)
        var disk = DiskCalls()
        disk.write = { descriptor, bytes in
            let count = left.withLock { left in
                defer { left -= min(left, bytes.count) }
                return min(left, bytes.count)
            }
            guard count > 0 else {
                errno = ENOSPC
                return -1
            }
            return write(descriptor, bytes.baseAddress, count)
        }
        let folder = try open(disk: disk)
        let failure = error { () throws(SnapshotFolderError) in
            try folder.store("a", Array(repeating: 9, count: 200))
        }
        #expect(failure?.reason == .diskFull(ENOSPC))
        #expect(failure?.description.hasPrefix("cannot write \(scratch.path("kv"))/.catena-") == true)
        #expect(failure?.description.contains("No space left on device") == true)
        #expect(try scratch.files(in: "kv") == ["me.kv"])
        #expect(try folder.load("a") == [1, 2, 3])
        #expect(folder.byteCount == 3)
    }

    @Test func aFailingFlushLeavesTheOldVersion() throws {
        try open().store("a", [1, 2, 3])
        var disk = DiskCalls()
        disk.flush = { _ in
            errno = EIO
            return -1
        }
        let folder = try open(disk: disk)
        let failure = error { () throws(SnapshotFolderError) in try folder.store("a", [9]) }
        #expect(failure?.reason == .system(EIO) && failure?.description.hasSuffix("Input/output error") == true)
        #expect(try scratch.files(in: "kv") == ["me.kv"])
        #expect(try folder.load("a") == [1, 2, 3])
    }

    @Test func interruptedAndShortWritesGoOn() throws {
        let calls = Mutex(0)
        var disk = DiskCalls()
        disk.write = { descriptor, bytes in
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            guard call % 3 != 0 else {
                errno = EINTR
                return -1
            }
            return write(descriptor, bytes.baseAddress, min(bytes.count, 7))
        }
        let bytes = (0..<200).map { UInt8($0) }
        let folder = try open(disk: disk)
        try folder.store("a", bytes)
        #expect(try folder.load("a").map { Array($0) } == bytes)
    }

    /// The bytes are on the disk before they have the name, and the name before the call returns.
    @Test func bytesAreFlushedBeforeTheyAreRenamed() throws {
        let seen = Mutex<[[String]]>([])
        let path = scratch.path("kv")
        var disk = DiskCalls()
        disk.flush = { descriptor in
            let names = (try? Folder.names(in: path)) ?? []
            seen.withLock {
                $0.append(names.filter { !$0.hasPrefix(".") } + [isFolder(descriptor) ? "folder" : "file"])
            }
            return fsync(descriptor)
        }
        let folder = try open(disk: disk)
        try folder.store("a", [1])
        #expect(seen.withLock { $0 } == [["file"], ["me.kv", "folder"]])
        try folder.remove("a")
        #expect(seen.withLock { $0 }.last == ["folder"])
    }

    // MARK: Leftovers and strangers

    @Test func filesOfDeadWritersAreSweptAndThoseOfLiveOnesAreNot() throws {
        try scratch.createFolder("kv")
        try scratch.write("kv/.catena-1.tmp", [1])
        try scratch.write("kv/.catena-2.tmp", [2])
        let writer = try OpenFile(scratch.path("kv/.catena-2.tmp"), O_WRONLY, to: "write")
        let isLocked = writer.lock()
        let folder = try open()
        #expect(try scratch.files(in: "kv") == [".catena-2.tmp"])
        #expect(isLocked && folder.list() == [])
        withExtendedLifetime(writer) {}
    }

    @Test func aWriterLocksItsFile() throws {
        var disk = DiskCalls()
        let path = scratch.path("kv")
        let swept = Mutex(false)
        disk.write = { descriptor, bytes in
            // Another process starts in the middle of a write.
            _ = try? SnapshotFolder(path: path, maxBytes: 1000, timeToLive: .seconds(9))
            swept.withLock { $0 = (try? Folder.names(in: path))?.isEmpty ?? true }
            return write(descriptor, bytes.baseAddress, bytes.count)
        }
        let folder = try open(disk: disk)
        try folder.store("a", [1])
        #expect(!swept.withLock { $0 })
        #expect(try folder.load("a") == [1])
    }

    @Test func strangersAreNeitherCountedNorTouched() throws {
        try scratch.createFolder("kv")
        try scratch.write("kv/readme.txt", Array(repeating: 7, count: 5000))
        try scratch.write("kv/MZXW6.kv", [1])
        try scratch.createFolder("kv/mzxw6.kv")
        try scratch.createLink("kv/me.kv", to: "/etc/hostname")
        let folder = try open(maxBytes: 100)
        #expect(folder.list() == [] && folder.byteCount == 0)
        #expect(error { () throws(SnapshotFolderError) in _ = try folder.load("foo") }?.reason == .notAFile)
        #expect(error { () throws(SnapshotFolderError) in _ = try folder.load("a") }?.reason == .notAFile)
        #expect(error { () throws(SnapshotFolderError) in try folder.store("foo", [1]) }?.reason == .notAFile)
        #expect(error { () throws(SnapshotFolderError) in try folder.remove("foo") }?.reason == .notAFile)
        // A link gives way to a snapshot; what it leads to stays as it is.
        try folder.store("a", Array(repeating: 1, count: 100))
        #expect(try scratch.files(in: "kv") == ["MZXW6.kv", "me.kv", "mzxw6.kv", "readme.txt"])
        #expect(try folder.load("a")?.count == 100)
    }

    @Test func aPipeDoesNotBlock() throws {
        let folder = try open()
        #expect(mkfifo(scratch.path("kv/me.kv"), 0o600) == 0)
        #expect(error { () throws(SnapshotFolderError) in _ = try folder.load("a") }?.reason == .notAFile)
    }

    @Test func aHugeFileIsNotRead() throws {
        let folder = try open(maxBytes: 100)
        try scratch.write("kv/me.kv", [])
        #expect(truncate(scratch.path("kv/me.kv"), 1 << 40) == 0)
        let failure = error { () throws(SnapshotFolderError) in _ = try folder.load("a") }
        #expect(failure?.reason == .tooLarge(bytes: 1 << 40, limit: 100))
    }

    @Test func aNameMustBeUsable() throws {
        let folder = try open()
        for name in ["", String(repeating: "x", count: 151)] {
            let reason = SnapshotFolderError.Reason.unusableName(bytes: name.utf8.count)
            #expect(error { () throws(SnapshotFolderError) in try folder.store(name, [1]) }?.reason == reason)
            #expect(error { () throws(SnapshotFolderError) in _ = try folder.load(name) }?.reason == reason)
            #expect(error { () throws(SnapshotFolderError) in try folder.remove(name) }?.reason == reason)
        }
        try folder.store("../../etc/passwd", [1])
        #expect(try folder.load("../../etc/passwd") == [1])
        #expect(try scratch.files(in: "kv").count == 1)
    }

    // MARK: The folder itself

    @Test func aFolderThatVanishesIsAnErrorUntilItIsBack() throws {
        let folder = try open()
        try folder.store("a", [1])
        try scratch.remove("kv")
        let failure = error { () throws(SnapshotFolderError) in try folder.store("a", [2]) }
        #expect(failure?.reason == .folderMissing)
        #expect(failure?.description.contains("No such file or directory") == true)
        #expect(error { () throws(SnapshotFolderError) in _ = try folder.load("a") }?.reason == .folderMissing)
        #expect(try !folder.remove("a"))
        #expect(folder.list() == [])
        try scratch.createFolder("kv")
        #expect(try folder.load("a") == nil)
        try folder.store("a", [3])
        #expect(try folder.load("a") == [3])
    }

    @Test func aPathThatIsNoFolderIsRefused() throws {
        try scratch.write("file", [1])
        for name in ["file", "file/kv"] {
            let failure = error { () throws(SnapshotFolderError) in _ = try open(name) }
            #expect(failure?.reason == .notAFolder)
            #expect(failure?.description.hasPrefix("cannot create \(scratch.path(name)): not a folder") == true)
        }
        #expect(try scratch.read("file") == [1])
    }

    @Test func missingPermissionsAreNamed() throws {
        let folder = try open()
        try folder.store("a", [1])
        #expect(chmod(scratch.path("kv/me.kv"), 0) == 0 && chmod(scratch.path("kv"), 0o500) == 0)
        defer { chmod(scratch.path("kv"), 0o700) }
        let isRoot = geteuid() == 0
        if isRoot { _ = setFileSystemUser(65534) }
        defer { if isRoot { _ = setFileSystemUser(0) } }

        let failures = [
            error { () throws(SnapshotFolderError) in try folder.store("a", [2]) },
            error { () throws(SnapshotFolderError) in _ = try folder.load("a") },
            error { () throws(SnapshotFolderError) in try folder.remove("a") },
            error { () throws(SnapshotFolderError) in _ = try open() },
            error { () throws(SnapshotFolderError) in _ = try open("kv/below") },
        ]
        for failure in failures {
            #expect(failure?.reason == .permissionDenied(EACCES))
            #expect(failure?.description.contains("\(scratch.path("kv"))") == true)
            #expect(failure?.description.contains("Permission denied; the folder must be") == true)
        }
    }
}

private func isFolder(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}
