// A compiled regular expression that cuts text, on PCRE2: compiled once to machine code, used by any thread.

import CPCRE2
import ModelIO

/// A pattern of a tokenizer.json.
final class SplitPattern: @unchecked Sendable {  // proof: PCRE2 never writes to compiled code while matching
    private let code: OpaquePointer
    private let isCompiledToMachineCode: Bool

    /// Compiles the regular expression `source`, as the `tokenizers` package understands it.
    /// - Throws: what is wrong with it, in words.
    convenience init(regex source: String) throws(PatternError) {
        try self.init(pcre: PatternTranslator.translate(source))
    }

    /// The pattern that matches exactly `text`.
    convenience init(literal text: String) throws(PatternError) {
        try self.init(pcre: text.unicodeScalars.map { "\\x{\(String($0.value, radix: 16))}" }.joined())
    }

    private init(pcre pattern: String) throws(PatternError) {
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))  // for `.`, whatever the library's default is
        var number: Int32 = 0
        var offset = 0
        let bytes = Array(pattern.utf8)
        guard
            let code = pcre2_compile_8(bytes, bytes.count, UInt32(PCRE2_UTF | PCRE2_UCP), &number, &offset, context)
        else {
            var message = [UInt8](repeating: 0, count: 256)
            pcre2_get_error_message_8(number, &message, message.count)
            throw PatternError(
                problem: "\(String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)) at byte \(offset)"
            )
        }
        self.code = code
        isCompiledToMachineCode = pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE)) == 0
    }

    deinit { pcre2_code_free_8(code) }

    /// The first match in `text` that starts at `start` or later; nil if there is none.
    /// - Throws: `.patternLimit` when the matcher gives up.
    func firstMatch(
        in text: UnsafeBufferPointer<UInt8>,
        from start: Int,
        with matcher: borrowing PatternMatcher
    ) throws(TokenizerError) -> Range<Int>? {
        var result = PCRE2_ERROR_JIT_STACKLIMIT
        if isCompiledToMachineCode {
            result = pcre2_jit_match_8(code, text.baseAddress, text.count, start, 0, matcher.data, matcher.context)
        }
        if result == PCRE2_ERROR_JIT_STACKLIMIT {
            // The interpreter keeps its backtracking on the heap, up to the limit of the context.
            let options = UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_NO_JIT)
            result = pcre2_match_8(code, text.baseAddress, text.count, start, options, matcher.data, matcher.context)
        }
        if result == PCRE2_ERROR_NOMATCH { return nil }
        // 0: more groups than the one range we asked for; the match itself is there.
        guard result >= 0, let ends = pcre2_get_ovector_pointer_8(matcher.data) else {
            throw .patternLimit(code: result, byteCount: text.count)
        }
        return ends[0]..<max(ends[0], ends[1])
    }
}

/// Why a pattern cannot be used.
struct PatternError: Error, Hashable {
    var problem: String
}

/// The scratch memory of matching; one for each text that is encoded, as it cannot be shared.
struct PatternMatcher: ~Copyable {
    fileprivate let data: OpaquePointer
    fileprivate let context: OpaquePointer
    private let stack: OpaquePointer?

    /// Backtracking steps per match. Patterns of tokenizers need a few per character.
    private static let stepLimit: UInt32 = 20_000_000
    /// Memory of one match in the interpreter, KiB.
    private static let heapLimit: UInt32 = 256 * 1024
    /// Memory of one match in machine code, bytes; beyond it the interpreter takes over.
    private static let stackLimit = 1 << 20

    init() {
        guard let data = pcre2_match_data_create_8(1, nil), let context = pcre2_match_context_create_8(nil) else {
            fatalError("out of memory for some hundred bytes")
        }
        self.data = data
        self.context = context
        pcre2_set_match_limit_8(context, Self.stepLimit)
        pcre2_set_heap_limit_8(context, Self.heapLimit)
        // Without a stack of its own PCRE2 uses 32 KiB of the thread's.
        stack = pcre2_jit_stack_create_8(32 << 10, Self.stackLimit, nil)
        if let stack { pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack)) }
    }

    deinit {
        pcre2_match_data_free_8(data)
        pcre2_match_context_free_8(context)
        if let stack { pcre2_jit_stack_free_8(stack) }
    }
}
