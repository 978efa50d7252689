// One tensor inside a mapped file: where its bytes are, and the safe ways to read them as numbers.

/// A read-only view of one tensor of a ``SafetensorsFile``, row-major, little-endian.
///
/// The view keeps its file mapped, so the pointer is valid as long as any copy of the view lives.
/// A file promises no alignment: ask ``isAligned``, or use an access below that copies when it has to.
public struct TensorView: @unchecked Sendable {  // proof: constants only; the pages behind the pointer are read-only
    public let name: String
    public let dtype: DType
    /// Extents, outermost first; empty for a scalar.
    public let shape: [Int]
    /// First byte of the first element.
    public let pointer: UnsafeRawPointer
    /// `elementCount * dtype.byteCount`.
    public let byteCount: Int
    private let owner: MappedFile

    init(name: String, dtype: DType, shape: [Int], bytes: UnsafeRawBufferPointer, owner: MappedFile) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        // An empty tensor may have no address; any pointer into the file will do, as nothing is read through it.
        self.pointer = bytes.baseAddress ?? owner.bytes.baseAddress!
        self.byteCount = bytes.count
        self.owner = owner
    }

    /// Product of the extents.
    public var elementCount: Int { byteCount / dtype.byteCount }

    /// All bytes, valid as long as a copy of this view lives.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: pointer, count: byteCount) }

    /// Lets go of the memory behind the bytes `range`, which have been copied: the file's pages stay with the system.
    public func releasePages(_ range: Range<Int>) {
        owner.releasePages(of: UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    /// Whether the first element lies on a multiple of its size.
    public var isAligned: Bool { UInt(bitPattern: pointer) % UInt(dtype.byteCount) == 0 }

    /// The elements in place, or nil if they are not aligned or `Element` has another size than the dtype.
    ///
    /// Use `Float` for f32, `UInt16` for f16 and bf16. Valid as long as a copy of this view lives.
    public func elements<Element: BitwiseCopyable>(as type: Element.Type) -> UnsafeBufferPointer<Element>? {
        guard MemoryLayout<Element>.stride == dtype.byteCount, isAligned,
            UInt(bitPattern: pointer) % UInt(MemoryLayout<Element>.alignment) == 0
        else { return nil }
        return UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: type), count: elementCount)
    }

    /// Element `index` of an f32, f16 or bf16 tensor. Exact.
    func float(at index: Int) -> Float {
        switch dtype {
        case .f32: return pointer.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
        case .f16:
            return Float(Float16(bitPattern: pointer.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)))
        case .bf16:
            return Float(
                bitPattern: UInt32(pointer.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) << 16
            )
        case .f64, .i64, .i32, .i16, .i8, .u8, .bool: preconditionFailure("\(name): \(dtype) is no weight type")
        }
    }

    /// The first of some elements of an f32, f16 or bf16 tensor that is no number, or of a size above `limit`.
    public func firstElement(beyond limit: Float, in range: Range<Int>) -> Int? {
        // Bits of sizes are in the order of the sizes, and those of what is no number above all: one integer comparison.
        switch dtype {
        case .f32:
            let most = limit.bitPattern
            return range.first { pointer.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) & 0x7FFF_FFFF > most }
        case .f16:
            let most = Float16(min(limit, Float(Float16.greatestFiniteMagnitude))).bitPattern
            return range.first { pointer.loadUnaligned(fromByteOffset: $0 * 2, as: UInt16.self) & 0x7FFF > most }
        case .bf16:
            let most = UInt16(limit.bitPattern >> 16)
            return range.first { pointer.loadUnaligned(fromByteOffset: $0 * 2, as: UInt16.self) & 0x7FFF > most }
        case .f64, .i64, .i32, .i16, .i8, .u8, .bool: preconditionFailure("\(name): \(dtype) is no weight type")
        }
    }

    /// Converts f32, f16 or bf16 elements to f32 into `destination`, whatever their alignment. Exact.
    /// - Precondition: `dtype.isWeightType` and `destination.count == elementCount`.
    public func copyFloats(into destination: UnsafeMutableBufferPointer<Float>) {
        precondition(destination.count == elementCount, "\(name): \(elementCount) elements into \(destination.count)")
        switch dtype {
        case .f32:
            for index in destination.indices {
                destination[index] = pointer.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
            }
        case .f16:
            for index in destination.indices {
                let bits = pointer.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
                destination[index] = Float(Float16(bitPattern: bits))
            }
        case .bf16:
            for index in destination.indices {
                let bits = pointer.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
                destination[index] = Float(bitPattern: UInt32(bits) << 16)
            }
        case .f64, .i64, .i32, .i16, .i8, .u8, .bool:
            preconditionFailure("\(name): \(dtype) is no weight type")
        }
    }

    /// The elements of an f32, f16 or bf16 tensor as f32. Exact.
    /// - Precondition: `dtype.isWeightType`.
    public func floats() -> [Float] {
        [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
            copyFloats(into: UnsafeMutableBufferPointer(rebasing: buffer[..<elementCount]))
            count = elementCount
        }
    }
}
