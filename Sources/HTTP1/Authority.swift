/// `uri-host [ ":" port ]` of RFC 9110, 7.2, as it stands in `Host` and in an absolute request target.
///
/// Attack: a Host that one hop reads as one host and the next as another (`good@evil`, `evil:80:good`, `evil/good`,
/// a comma list) routes or caches a request under a name that nobody checked. So only the grammar passes.
enum Authority {
    /// Whether `bytes` are an authority without user information. An empty authority is not.
    static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first else { return false }
        let afterHost: ArraySlice<UInt8>
        if first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")),
                isIPv6(bytes[(bytes.startIndex + 1)..<close])
            else { return false }
            afterHost = bytes[(close + 1)...]
        } else {
            let colon = bytes.firstIndex(of: .colon) ?? bytes.endIndex
            guard colon > bytes.startIndex, isRegisteredName(bytes[..<colon]) else { return false }
            afterHost = bytes[colon...]
        }
        guard let colon = afterHost.first else { return true }
        return colon == .colon && isPort(afterHost.dropFirst())
    }

    /// `*DIGIT` (RFC 3986, 3.2.3: it may be empty), at most 65535.
    private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count <= 5, bytes.allSatisfy(\.isDigit) else { return false }
        return bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 65535
    }

    /// `reg-name` or `IPv4address` of RFC 3986, 3.2.2 (the second is a case of the first).
    private static func isRegisteredName(_ bytes: ArraySlice<UInt8>) -> Bool {
        hasValidEscapes(bytes) { $0.isUnreservedOrSubDelimiter }
    }

    /// `IPv6address` of RFC 3986, 3.2.2: eight groups of one to four hexadecimal digits, one run of them elided as `::`,
    /// the last two perhaps as an IPv4 address. No zone (RFC 6874 leaves it to the client).
    static func isIPv6(_ bytes: ArraySlice<UInt8>) -> Bool {
        var groups = 0
        var elided = false
        var rest = bytes
        if rest.starts(with: [.colon, .colon]) {
            elided = true
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let end = rest.firstIndex(of: .colon) ?? rest.endIndex
            let group = rest[..<end]
            if group.contains(UInt8(ascii: ".")) {
                guard end == rest.endIndex, isIPv4(group) else { return false }
                groups += 2
                break
            }
            guard (1...4).contains(group.count), group.allSatisfy({ $0.hexValue != nil }) else { return false }
            groups += 1
            if end == rest.endIndex { break }
            rest = rest[(end + 1)...]
            if rest.first == .colon {
                guard !elided else { return false }
                elided = true
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return false  // a single colon at the end
            }
        }
        return elided ? groups <= 7 : groups == 8
    }

    private static func isIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.count) && part.allSatisfy(\.isDigit)
                    && (part.count == 1 || part.first != UInt8(ascii: "0"))
                    && part.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 255
            }
    }
}

/// Whether every byte is `allowed` or part of a `%XX` escape (RFC 3986, 2.1).
func hasValidEscapes(_ bytes: ArraySlice<UInt8>, _ allowed: (UInt8) -> Bool) -> Bool {
    var index = bytes.startIndex
    while index < bytes.endIndex {
        if bytes[index] == UInt8(ascii: "%") {
            guard index + 2 < bytes.endIndex, bytes[index + 1].hexValue != nil, bytes[index + 2].hexValue != nil
            else { return false }
            index += 3
        } else {
            guard allowed(bytes[index]) else { return false }
            index += 1
        }
    }
    return true
}
