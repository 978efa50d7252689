import FoundationEssentials
import Synchronization

/// The keys in force: those of the configuration, and those of a file that may be read again while the server runs.
///
/// ```swift
/// let store = KeyStore(lines: configuration.keys.list, file: configuration.keys.file)
/// try store.load()           // again at every SIGHUP
/// store.find("sk-...")       // before the first load: nobody
/// ```
public final class KeyStore: Sendable {
    /// A larger file is none of keys.
    static let largestFile = 8 << 20

    private let lines: [String]
    private let file: String?
    private let table = Mutex(KeyTable())

    /// - Parameter file: one key a line; empty lines, and those that begin with `#`, are left out.
    public init(lines: [String], file: String?) {
        self.lines = lines
        self.file = file
    }

    public var count: Int { table.withLock { $0.keys.count } }

    /// The key that a client shows; nil when it is none of these.
    public func find(_ shown: String) -> AccessKey? {
        table.withLock { $0 }.find(shown)
    }

    /// Reads the keys, at first or again.
    /// - Throws: the first thing that is wrong; the keys that were in force stay so.
    public func load() throws(KeyFileError) {
        var renewed = KeyTable()
        for (index, line) in lines.enumerated() {
            try Self.add(line, to: &renewed, place: "keys.list, entry \(index + 1)")
        }
        if let file {
            let text = try Self.text(of: file)
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            for (index, line) in lines.enumerated() {
                guard let first = line.first(where: { $0 != " " && $0 != "\t" }), first != "#" else { continue }
                try Self.add(line, to: &renewed, place: "\(file):\(index + 1)")
            }
        }
        table.withLock { $0 = renewed }
    }

    private static func add(
        _ line: some StringProtocol,
        to table: inout KeyTable,
        place: String
    ) throws(KeyFileError) {
        let key: AccessKey
        do throws(KeyLineError) {
            key = try AccessKey(line: line)
        } catch {
            throw KeyFileError(place: place, problem: error.description)
        }
        do throws(KeyTableError) {
            try table.add(key)
        } catch {
            throw KeyFileError(place: place, problem: error.description)
        }
    }

    private static func text(of path: String) throws(KeyFileError) -> String {
        guard let bytes = try? Data(contentsOf: URL(filePath: path)) else {
            throw KeyFileError(place: path, problem: "the file does not exist, or may not be read")
        }
        guard bytes.count <= largestFile else {
            throw KeyFileError(place: path, problem: "the file is larger than \(largestFile >> 20) MiB")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw KeyFileError(place: path, problem: "the file is not UTF-8")
        }
        return text
    }
}

/// Why keys cannot be used: where, and what would be right.
public struct KeyFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// `keys.txt:3`
    public var place: String
    public var problem: String

    public var description: String { "\(place): \(problem)" }
}
