import Glibc
import HTTP1

/// Addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or one address.
public struct AddressRange: Sendable, Hashable {
    /// 4 or 16 bytes.
    private let bytes: [UInt8]
    private let bits: Int

    /// Nil for what is no numeric address, or has bits behind the prefix.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = parts.first, let bytes = NumericAddress(address)?.bytes else {
            return nil
        }
        let all = bytes.count * 8
        var bits = all
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...all).contains(number), !parts[1].hasPrefix("+") else { return nil }
            bits = number
        }
        guard (bits..<all).allSatisfy({ bytes[$0 / 8] & (0x80 >> UInt8($0 % 8)) == 0 }) else { return nil }
        self.bytes = bytes
        self.bits = bits
    }

    func contains(_ address: NumericAddress) -> Bool {
        guard address.bytes.count == bytes.count else { return false }
        return (0..<bits).allSatisfy { bit in
            (address.bytes[bit / 8] ^ bytes[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }
}

/// An address without a port, in network byte order.
struct NumericAddress: Sendable, Hashable {
    /// 4 or 16; an IPv4 address in IPv6's clothes (RFC 4291, 2.5.5.2) is one of 4.
    let bytes: [UInt8]

    /// As inet_pton(3) reads it: `192.0.2.1`, `2001:db8::1`.
    init?(_ text: some StringProtocol) {
        let text = String(text)
        guard !text.utf8.contains(0) else { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            guard inet_pton(family, text, &bytes) == 1 else { continue }
            let isMapped = count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 255 && bytes[11] == 255
            self.bytes = isMapped ? Array(bytes[12...]) : bytes
            return
        }
        return nil
    }

    /// Nil for a client of a Unix socket.
    init?(_ peer: PeerAddress) {
        switch peer {
        case .ipv4(let address, _): bytes = Self.bytes(address)
        case .ipv6(let high, let low, _): bytes = Self.bytes(high) + Self.bytes(low)
        case .unix: return nil
        }
    }

    /// The address as a peer's, with port 0.
    var peer: PeerAddress {
        if bytes.count == 4 { return .ipv4(UInt32(Self.number(bytes[...])), port: 0) }
        return .ipv6(Self.number(bytes[..<8]), Self.number(bytes[8...]), port: 0)
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
