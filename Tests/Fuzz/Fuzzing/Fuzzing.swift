import CFuzzer
import Glibc

// Written once, before libFuzzer begins to call.
private nonisolated(unsafe) var examine: ([UInt8]) -> Void = { _ in }

/// Runs libFuzzer with the program's arguments.
///
/// - Parameter body: called with each input. It is a finding when it traps, takes longer than `-timeout` or more memory
///   than `-rss_limit_mb`; so `body` states what must hold as preconditions.
public func fuzz(_ body: @escaping ([UInt8]) -> Void) -> Never {
    examine = body
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    exit(
        LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            examine(Array(UnsafeBufferPointer(start: bytes, count: count)))
            return 0
        }
    )
}
