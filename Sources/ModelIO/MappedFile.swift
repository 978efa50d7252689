// A file's bytes without copying them: weights are paged in by the kernel when they are first read, and shared between
// processes that serve the same model.

import Glibc

/// A regular file mapped read-only into memory; unmapped when the last reference goes.
///
/// The bytes are those of the file while it is mapped. Replace a model file by renaming a new one over it: writing into a
/// mapped file changes weights under the reader, and truncating it makes the next read fail with SIGBUS, which no
/// process can turn into an error.
public final class MappedFile: @unchecked Sendable {  // proof: constants only; the pages are never written
    public let path: String
    /// All bytes of the file; empty for an empty file. Page aligned. Valid as long as this object.
    public let bytes: UnsafeRawBufferPointer

    /// Maps the file at `path`.
    /// - Throws: `.inaccessible` with the system's own words if it cannot be opened, measured or mapped, or is no regular file.
    public init(path: String) throws(ModelFileError) {
        func failure(_ call: String, _ code: Int32) -> ModelFileError {
            ModelFileError(.inaccessible, file: path, problem: "\(call): \(String(cString: strerror(code)))")
        }
        // O_NONBLOCK so that a FIFO in place of the file is refused below instead of blocking here.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure("cannot open", errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("cannot read its size", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ModelFileError(.inaccessible, file: path, problem: "not a regular file")
        }
        let count = Int(status.st_size)
        guard count > 0 else {  // mmap refuses a length of zero
            self.path = path
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw failure("cannot map \(count) bytes", errno)
        }
        self.path = path
        bytes = UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Lets go of the memory behind some bytes that have been read: only whole pages, and reading them again is slow but right.
    func releasePages(of range: UnsafeRawBufferPointer) {
        let page = sysconf(Int32(_SC_PAGESIZE))
        guard let start = range.baseAddress else { return }
        let first = (Int(bitPattern: start) + page - 1) / page * page
        let end = (Int(bitPattern: start) + range.count) / page * page
        if end > first { madvise(UnsafeMutableRawPointer(bitPattern: first), end - first, MADV_DONTNEED) }
    }

    /// Asks the system to read the file ahead. Returns at once.
    func prefetch() {
        guard let start = bytes.baseAddress else { return }
        madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, MADV_WILLNEED)
    }

    deinit {
        guard let start = bytes.baseAddress else { return }
        munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
}
