// A folder of files that is seen whole or not at all, and the calls that fill it.

import Glibc

/// A folder that is filled under another name beside its place, and moved there when it is complete.
///
/// Where there is an empty folder already, perhaps a mount point, which nothing can be moved to, it is filled in that, and its
/// files are moved up one by one in the order they were written. So write last what makes a model of it.
///
/// What is not committed is removed; after a crash or a kill a folder called `NAME.partial-XXXXXX` is left, which nothing
/// takes for the real one.
struct NewFolder: ~Copyable {
    /// Where it will be.
    let path: String
    /// Where it is filled.
    let workPath: String
    private let isInside: Bool
    private var names: [String] = []
    private var isCommitted = false

    /// - Throws: `.inaccessible` if there is something at `path` that is not an empty folder, or with the system's own words.
    init(path: String) throws(ModelFileError) {
        var path = path
        while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
        try Self.refuseContents(of: path)
        let isInside = access(path, F_OK) == 0
        var template = Array("\(path)\(isInside ? "/" : "").partial-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ModelFileError(failed: "cannot create a folder \(isInside ? "in" : "beside") it", path)
        }
        self.path = path
        self.isInside = isInside
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

    /// Where the file `name` is written, by the caller and now.
    mutating func path(to name: String) -> String {
        names.append(name)
        return workPath + "/" + name
    }

    mutating func write(_ name: String, _ bytes: UnsafeRawBufferPointer) throws(ModelFileError) {
        try Self.write(bytes, to: path(to: name))
    }

    mutating func write(_ name: String, _ bytes: [UInt8]) throws(ModelFileError) {
        let target = path(to: name)
        try bytes.withUnsafeBufferPointer { buffer throws(ModelFileError) in
            try Self.write(UnsafeRawBufferPointer(buffer), to: target)
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws(ModelFileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ModelFileError(failed: "cannot create", path) }
        defer { close(descriptor) }
        guard writeAll(bytes, to: descriptor), fsync(descriptor) == 0 else {
            throw ModelFileError(failed: "cannot write", path)
        }
    }

    /// Moves the folder, or its files, to their place.
    mutating func commit() throws(ModelFileError) {
        if isInside {
            try moveFilesUp()
        } else if rename(workPath, path) != 0 {
            throw ModelFileError(failed: "cannot move \(workPath) there", path)
        }
        isCommitted = true
    }

    private func moveFilesUp() throws(ModelFileError) {
        let own = workPath.dropFirst(path.utf8.count + 1)
        guard try Self.fileNames(in: path) == [String(own)] else {
            throw ModelFileError(
                .inaccessible,
                file: path,
                problem: "is no longer empty",
                expectation: "a folder that nothing else is written to"
            )
        }
        for (index, name) in names.enumerated() where rename(workPath + "/" + name, path + "/" + name) != 0 {
            let error = ModelFileError(failed: "cannot move \(name) there", path)
            for moved in names[..<index] { unlink(path + "/" + moved) }
            throw error
        }
        rmdir(workPath)
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
