// A folder of files that is seen whole or not at all, and the calls that fill it.

import Glibc

/// A folder that is filled under another name beside its place, and moved there when it is complete.
///
/// What is not committed is removed; after a crash or a kill a folder called `NAME.partial-XXXXXX` is left, which nothing
/// takes for the real one.
struct NewFolder: ~Copyable {
    /// Where it will be.
    let path: String
    /// Where it is filled.
    let workPath: String
    private var isCommitted = false

    /// - Throws: `.inaccessible` if there is something at `path` that is not an empty folder, or with the system's own words.
    init(path: String) throws(ModelFileError) {
        var path = path
        while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
        self.path = path
        try Self.refuseContents(of: path)
        var template = Array("\(path).partial-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ModelFileError(failed: "cannot create a folder beside it", path) }
        workPath = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        chmod(workPath, 0o755)  // mkdtemp's is the owner's alone
    }

    private static func refuseContents(of path: String) throws(ModelFileError) {
        guard access(path, F_OK) == 0 else { return }
        guard try fileNames(in: path).isEmpty else {
            throw ModelFileError(
                .inaccessible,
                file: path,
                problem: "is there already, and not empty",
                expectation: "a new folder, or an empty one"
            )
        }
    }

    /// The names of all that is in a folder, sorted.
    static func fileNames(in folder: String) throws(ModelFileError) -> [String] {
        guard let stream = opendir(folder) else { throw ModelFileError(failed: "cannot list", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(cString: $0.baseAddress!.assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Where the file `name` is written.
    func path(to name: String) -> String { workPath + "/" + name }

    func write(_ name: String, _ bytes: UnsafeRawBufferPointer) throws(ModelFileError) {
        let path = path(to: name)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ModelFileError(failed: "cannot create", path) }
        defer { close(descriptor) }
        guard writeAll(bytes, to: descriptor), fsync(descriptor) == 0 else {
            throw ModelFileError(failed: "cannot write", path)
        }
    }

    func write(_ name: String, _ bytes: [UInt8]) throws(ModelFileError) {
        try bytes.withUnsafeBufferPointer { buffer throws(ModelFileError) in
            try write(name, UnsafeRawBufferPointer(buffer))
        }
    }

    /// Moves the folder to its place.
    mutating func commit() throws(ModelFileError) {
        guard rename(workPath, path) == 0 else { throw ModelFileError(failed: "cannot move \(workPath) there", path) }
        isCommitted = true
    }

    deinit {
        guard !isCommitted else { return }
        for name in (try? Self.fileNames(in: workPath)) ?? [] { unlink(workPath + "/" + name) }
        rmdir(workPath)
    }
}

/// Writes all bytes, however many calls it takes; false with `errno` set if the system refuses.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
        let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if written < 0 {
            if errno == EINTR { continue }
            return false
        }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
    return true
}

extension ModelFileError {
    /// A call that the system refused, in its own words.
    init(failed call: String, _ file: String) {
        self.init(.inaccessible, file: file, problem: "\(call): \(String(cString: strerror(errno)))")
    }
}
