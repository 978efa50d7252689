// JSON by itself: white space around a text changes nothing, and anything else around it does.

import Fuzzing

@testable import JSON

private func isJSON(_ bytes: [UInt8]) -> Bool {
    (try? JSONParser.parse(bytes, of: "the input")) != nil
}

fuzz { input in
    let spaces = Array(" \t\r\n".utf8)
    let isValid = isJSON(input)
    precondition(isValid == isJSON(spaces + input + spaces), "white space counts")
    precondition(
        isValid == isJSON(Array("[".utf8) + input + Array("]".utf8)) || input.allSatisfy(spaces.contains) || !isValid
    )
    guard isValid else { return }
    precondition(!isJSON(input + Array("]".utf8)) && !isJSON(Array("}".utf8) + input), "more than one value")
    precondition(String(validating: input, as: UTF8.self) != nil, "bytes that are no UTF-8")
}
