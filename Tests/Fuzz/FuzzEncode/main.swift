// Texts through tokenizers of each kind: what is encoded comes back, byte for byte, where nothing swallows white space.

import Fuzzing
import Tokenizer

private let folder = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Fixtures/tokenizers/"

private func load(_ name: String) -> BPETokenizer {
    do {
        return try BPETokenizer(path: folder + name + "/tokenizer.json")
    } catch {
        fatalError("\(error)")
    }
}

private let lossless = ["catena", "gpt2style", "llama3"].map(load)
private let others = ["added", "splits"].map(load)

fuzz { input in
    guard let first = input.first else { return }
    let text = String(decoding: input.dropFirst(), as: UTF8.self)
    let (index, parsesSpecial) = (Int(first >> 1) % 5, first & 1 == 1)
    let tokenizer = index < 3 ? lossless[index] : others[index - 3]
    guard let ids = try? tokenizer.encode(text, addSpecial: false, parseSpecial: parsesSpecial) else {
        fatalError("a pattern runs wild")
    }
    guard let back = try? tokenizer.decode(ids, skipSpecial: false) else { fatalError("an id of nothing") }
    precondition(index >= 3 || back.utf8.elementsEqual(text.utf8), "it does not come back")
}
