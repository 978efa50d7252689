import Glibc

/// Why the folder of snapshots cannot do something: what, with which path, and what is in the way.
public struct SnapshotFolderError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        /// A session's name has 1 to 150 bytes.
        case unusableName(bytes: Int)
        /// More bytes than the folder may hold.
        case tooLarge(bytes: Int, limit: Int)
        /// There is something else than a regular file at the path of a snapshot.
        case notAFile
        /// There is something else than a folder at the folder's path.
        case notAFolder
        /// The folder is not there, or not any more.
        case folderMissing
        case permissionDenied(Int32)
        case diskFull(Int32)
        /// Any other error number of the system.
        case system(Int32)
    }

    /// What was tried, such as "write".
    public var action: String
    public var path: String
    public var reason: Reason

    init(_ action: String, _ path: String, _ reason: Reason) {
        self.action = action
        self.path = path
        self.reason = reason
    }

    init(_ action: String, _ path: String, errno number: Int32) {
        let reason: Reason =
            switch number {
            case EACCES, EPERM, EROFS: .permissionDenied(number)
            case ENOSPC, EDQUOT: .diskFull(number)
            case ENOENT: .folderMissing
            case ENOTDIR: .notAFolder
            case EISDIR, ELOOP: .notAFile
            default: .system(number)
            }
        self.init(action, path, reason)
    }

    public var description: String { "cannot \(action) \(path): \(explanation)" }

    private var explanation: String {
        switch reason {
        case .unusableName(let bytes):
            "a session's name has 1 to \(SnapshotFileName.mostNameBytes) bytes, this one has \(bytes)"
        case .tooLarge(let bytes, let limit): "\(bytes) bytes are more than the \(limit) that the folder may hold"
        case .notAFile: "there is something else than a regular file; remove it"
        case .notAFolder: "not a folder; remove what is there or choose another path"
        case .folderMissing: "\(text(ENOENT)); create the folder, or restart the server, which does so"
        case .permissionDenied(let number): "\(text(number)); the folder must be readable and writable for this user"
        case .diskFull(let number): "\(text(number)); make room on the disk, or lower the folder's limit"
        case .system(let number): text(number)
        }
    }

    private func text(_ number: Int32) -> String { String(cString: strerror(number)) }
}
