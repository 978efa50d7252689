extension UInt8 {
    /// Whether a byte of valid UTF-8 is the first of a character: counting these counts characters.
    var beginsCharacter: Bool { self & 0xC0 != 0x80 }
}
