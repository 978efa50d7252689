// Memory that kernels read and write: owned, of fixed size, on a cache line.

import Glibc

/// A fixed-size, uniquely owned array of plain numbers, aligned to a cache line (and an AVX-512 register) of 64 bytes.
///
/// The elements start as zeros. Pages that nobody touches cost no physical memory.
public struct AlignedBuffer<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
    // proof: the one owner of its memory; sharing it takes a borrow, which the compiler confines
    public let pointer: UnsafeMutablePointer<Element>
    public let count: Int
    private let mappedBytes: Int

    public static var alignment: Int { 64 }
    /// Of a large page on the processors that servers have; elsewhere the wish is not heard.
    private static var hugePageBytes: Int { 2 << 20 }

    /// Makes a buffer of `count` zeros. Running out of memory ends the process, as elsewhere in Swift.
    ///
    /// - Parameter isHuge: asks for large pages, which spare a pass over gigabytes its page walks, and the first use of
    ///   megabytes a fault for each 4 KiB
    /// - Precondition: `Element` is a number, for which all bits zero mean 0.
    public init(count: Int, isHuge: Bool = false) {
        precondition(count >= 0)
        let bytes = max(count * MemoryLayout<Element>.stride, 1)
        if isHuge {
            mappedBytes = (bytes + Self.hugePageBytes - 1) / Self.hugePageBytes * Self.hugePageBytes
            pointer = Self.mapHuge(mappedBytes).bindMemory(to: Element.self, capacity: count)
        } else {
            mappedBytes = bytes
            pointer = Self.map(bytes).bindMemory(to: Element.self, capacity: count)
        }
        self.count = count
    }

    deinit {
        munmap(pointer, mappedBytes)
    }

    /// Anonymous pages, which are zero and are not resident before their first use.
    private static func map(_ bytes: Int) -> UnsafeMutableRawPointer {
        let raw = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let raw, raw != MAP_FAILED else {
            fatalError("cannot reserve \(bytes) bytes: \(String(cString: strerror(errno)))")
        }
        return raw
    }

    /// The same from the start of a large page on: only whole ones can be large.
    private static func mapHuge(_ bytes: Int) -> UnsafeMutableRawPointer {
        let raw = map(bytes + hugePageBytes)
        let start = raw.alignedUp(toMultipleOf: hugePageBytes)
        let before = start - raw
        if before > 0 { munmap(raw, before) }
        munmap(start + bytes, hugePageBytes - before)
        madvise(start, bytes, Int32(MADV_HUGEPAGE))  // a wish: without it pages are small
        return start
    }

    public subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count)
            return pointer[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count)
            pointer[index] = newValue
        }
    }

    public var elements: UnsafeMutableBufferPointer<Element> {
        UnsafeMutableBufferPointer(start: pointer, count: count)
    }
}
