extension JSONParser {
    /// RFC 8259, section 6: no leading zeros, no bare point, no `+`, no NaN or Infinity. An integer that fits 64 bits is
    /// exact, any other number the nearest `Double`.
    mutating func number() throws(JSONError) -> JSONValue {
        let start = index
        let isNegative = take(UInt8(ascii: "-"))
        let digits = try digits()
        if digits.count > 1 && digits.first == UInt8(ascii: "0") {
            throw error("a number with a leading zero", at: start)
        }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            _ = try self.digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            _ = try self.digits()
        }
        if isInteger, let value = Self.integer(digits, isNegative: isNegative) { return value }
        guard let value = Double(String(decoding: bytes[start..<index], as: UTF8.self)), value.isFinite else {
            throw error("a number too large for 64 bits", at: start)
        }
        return .double(value)
    }

    /// Steps over one digit or more.
    private mutating func digits() throws(JSONError) -> UnsafeRawBufferPointer {
        let start = index
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        guard index > start else { throw unexpected(wanted: "a digit") }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<index])
    }

    /// The integer that `digits` spell; nil if it takes more than 64 bits.
    private static func integer(_ digits: UnsafeRawBufferPointer, isNegative: Bool) -> JSONValue? {
        var magnitude: UInt64 = 0
        for digit in digits {
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            if overflow || carry { return nil }
            magnitude = sum
        }
        if !isNegative { return Int64(exactly: magnitude).map { .integer($0) } ?? .unsigned(magnitude) }
        return magnitude <= Int64.min.magnitude ? .integer(Int64(truncatingIfNeeded: 0 &- magnitude)) : nil
    }
}
