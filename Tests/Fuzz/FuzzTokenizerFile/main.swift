// A tokenizer.json from a stranger: it is refused, or it makes a tokenizer that encodes whatever it is given.

import Fuzzing
import Glibc
import ModelIO
import Tokenizer

/// A file in memory without a name, because tokenizers are read from paths.
private let file: Int32 = {
    var template = Array("/dev/shm/catena-fuzz-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    unlink(template)
    return file
}()

fuzz { input in
    ftruncate(file, 0)
    guard pwrite(file, input, input.count, 0) == input.count else { fatalError("cannot write") }
    guard let tokenizer = try? BPETokenizer(path: "/proc/self/fd/\(file)") else { return }
    for text in ["", "hello world", "a\u{301} \u{1F600}\r\n\t<s></s> 12345 it's"] {
        guard let ids = try? tokenizer.encode(text) else { continue }
        _ = try? tokenizer.decode(ids)
    }
}
