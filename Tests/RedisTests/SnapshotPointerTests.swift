import Testing

@testable import Redis

@Suite struct SnapshotPointerTests {
    private let pointer = SnapshotPointer(
        version: 7,
        set: 0xDEAD_BEEF,
        chunks: 3,
        stored: 2_500_000,
        raw: 3_000_000,
        coding: .packed
    )

    @Test func textAndBack() {
        #expect(pointer.text == "1 7 deadbeef 3 2500000 3000000 packed")
        #expect(SnapshotPointer(pointer.text) == pointer)
    }

    @Test(
        arguments: [
            "", "1", "2 7 deadbeef 3 2500000 3000000 packed", "1 0 deadbeef 3 2500000 3000000 packed",
            "1 7 deadbeeg 3 2500000 3000000 packed", "1 7 deadbeef 0 2500000 3000000 packed",
            "1 7 deadbeef 3 2 3000000 packed", "1 7 deadbeef 3 2500000 0 packed", "1 7 deadbeef 3 2500000 -1 packed",
            "1 7 deadbeef 3 2500000 3000000 lz4", "1 7 deadbeef 3 2500000 3000000 packed ",
            "1 99999999999999999999 deadbeef 3 2500000 3000000 packed",
        ]
    )
    func whatIsNoPointerIsNotRead(text: String) {
        #expect(SnapshotPointer(text) == nil)
    }

    @Test func everyKeyIsItsOwn() {
        let keys = SnapshotKeys(prefix: "catena:")
        let names = ["a", "a:b", "0:a", "lease:a", ""].flatMap { session in
            [keys.pointer(session), keys.lease(session)] + keys.chunks(session, pointer)
        }
        #expect(Set(names + [keys.index]).count == names.count + 1)
        #expect(keys.chunks("s:1", pointer) == (0..<3).map { "catena:chunk:deadbeef:\($0):s:1" })
    }
}
