import Glibc

/// Folders by their paths: what is in them, and new ones.
enum Folder {
    /// Names of everything in a folder but `.` and `..`, in no order.
    static func names(in path: String) throws(SnapshotFolderError) -> [String] {
        guard let folder = opendir(path) else { throw SnapshotFolderError("read", path, errno: errno) }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw SnapshotFolderError("read", path, errno: errno) }
        return names
    }

    /// Creates a folder with mode 0700, and the missing ones above it likewise. Nothing happens when it is there.
    static func create(_ path: String) throws(SnapshotFolderError) {
        if mkdir(path, 0o700) == 0 { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try create(String(path[..<slash]))
            if mkdir(path, 0o700) == 0 { return }
        }
        guard errno == EEXIST else { throw SnapshotFolderError("create", path, errno: errno) }
        var status = stat()
        guard stat(path, &status) == 0 else { throw SnapshotFolderError("create", path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw SnapshotFolderError("create", path, .notAFolder) }
    }
}
