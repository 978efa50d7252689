// Most of a CRC-32 without a table: folding by carry-less multiplication (V. Gopal et al., "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction", Intel 2009).
//
// A message is a polynomial over bits, and its CRC the remainder modulo P. So 16 bytes may be taken away from its front if
// they are added, times x^(8 n) mod P, to those n bytes later: the remainder stays the same. A half of them at a time is
// multiplied, the earlier one by x^64 more. CRC-32 takes a byte's lowest bit first, so the factors stand here mirrored.

#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

int ck_crc32_can_fold(void) { return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"); }

#pragma clang attribute push(__attribute__((target("pclmul,sse4.1"))), apply_to = function)

static inline __m128i fold(__m128i front, __m128i factors, __m128i later) {
    __m128i low = _mm_clmulepi64_si128(front, factors, 0x00);
    __m128i high = _mm_clmulepi64_si128(front, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), later);
}

void ck_crc32_fold(uint8_t residue[16], uint32_t state, const uint8_t *bytes, size_t count) {
    const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i *next = (const __m128i *)bytes;
    // Four at a time, as a product takes four cycles or so and one can begin in each.
    __m128i a = _mm_xor_si128(_mm_loadu_si128(next), _mm_cvtsi32_si128((int)state));
    __m128i b = _mm_loadu_si128(next + 1);
    __m128i c = _mm_loadu_si128(next + 2);
    __m128i d = _mm_loadu_si128(next + 3);
    for (size_t done = 64; done < count; done += 64) {
        next += 4;
        a = fold(a, by_64, _mm_loadu_si128(next));
        b = fold(b, by_64, _mm_loadu_si128(next + 1));
        c = fold(c, by_64, _mm_loadu_si128(next + 2));
        d = fold(d, by_64, _mm_loadu_si128(next + 3));
    }
    _mm_storeu_si128((__m128i *)residue, fold(fold(fold(a, by_16, b), by_16, c), by_16, d));
}

#pragma clang attribute pop

#else

int ck_crc32_can_fold(void) { return 0; }

void ck_crc32_fold(uint8_t residue[16], uint32_t state, const uint8_t *bytes, size_t count) {
    (void)residue, (void)state, (void)bytes, (void)count;
}

#endif
