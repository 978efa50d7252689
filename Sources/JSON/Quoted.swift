/// `text` in quotes, shortened when it is absurdly long, and without characters that would disturb a log line.
/// For error messages: such texts come out of untrusted files and requests.
package func quoted(_ text: String) -> String {
    let limit = 120
    var quoted = "\""
    for scalar in text.unicodeScalars.prefix(limit) {
        quoted +=
            scalar.value < 0x20 || scalar.value == 0x7F ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    if text.unicodeScalars.dropFirst(limit).first != nil { quoted += "..." }
    return quoted + "\""
}
