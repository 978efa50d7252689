// The dot products of two bf16 and of four 8-bit numbers a lane, by what the processor has.
//
// Quantised weights are unsigned: stored = weight + zero (128 for int8, 8 for int4), as the processors' instructions want
// one unsigned factor. sum(weight * q) = sum(stored * q) - zero * sum(q), and sum(q) belongs to the activations, so a sum
// starts at -zero * sum(q). All of it is exact, whatever instructions are used.

#if CK_HAS_BF16_DOT
/// acc + first * first + second * second: sixteen lanes of weights, one pair of activations.
INLINE v16 dot_bf16(v16 acc, v16u weights, uint32_t pair) {
    return (v16)_mm512_dpbf16_ps((__m512)acc, (__m512bh)weights, (__m512bh)_mm512_set1_epi32((int)pair));
}

/// To nearest even, as the processor does it.
INLINE v16s round_bf16(v16 v) {
    return (v16s)_mm512_cvtneps_pbh((__m512)v);
}
#endif

INLINE v16i splat_int(int32_t s) {
    return (v16i){s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s};
}

#if CK_HAS_VNNI

INLINE v16i start_of(const ck_format format, int32_t sum) {
    return splat_int(format == CK_PANEL_INT8 ? -128 * sum : -8 * sum);
}

INLINE v16i dot_int8(v16i acc, v16u weights, uint32_t four) {
    return (v16i)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)weights, _mm512_set1_epi32((int)four));
}

INLINE v16i dot_int4(v16i acc, v16u weights, uint32_t four) {
    return dot_int8(acc, weights, four);
}

#elif CK_HAS_AVX2

typedef int32_t v8i __attribute__((vector_size(32)));
typedef uint32_t v8u __attribute__((vector_size(32)));

INLINE v16i join(__m256i a, __m256i b) {
    return __builtin_shufflevector((v8i)a, (v8i)b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

INLINE __m256i low_half(v16u v) {
    return (__m256i)__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
}

INLINE __m256i high_half(v16u v) {
    return (__m256i)__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}

/// int8 weights are made signed again, so that sums of two products fit 16 bits: nothing to subtract.
INLINE v16i start_of(const ck_format format, int32_t sum) {
    return splat_int(format == CK_PANEL_INT8 ? 0 : -8 * sum);
}

/// Four unsigned times four signed numbers a lane; two products must fit 16 bits.
INLINE __m256i dot_four(__m256i a, __m256i b) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1));
}

/// The weights' sizes are the unsigned factors, and the activations take their signs: a weight of -128 has a size in 8 bits,
/// and an activation, never below -127, its opposite.
INLINE v16i dot_int8(v16i acc, v16u weights, uint32_t four) {
    __m256i x = _mm256_set1_epi32((int)four);
    v16u w = weights ^ 0x80808080u;
    __m256i low = low_half(w), high = high_half(w);
    return acc + join(dot_four(_mm256_abs_epi8(low), _mm256_sign_epi8(x, low)), dot_four(_mm256_abs_epi8(high), _mm256_sign_epi8(x, high)));
}

INLINE v16i dot_int4(v16i acc, v16u weights, uint32_t four) {
    __m256i x = _mm256_set1_epi32((int)four);
    return acc + join(dot_four(low_half(weights), x), dot_four(high_half(weights), x));
}

#elif CK_HAS_NEON

/// All weights are made signed again, as the instructions multiply signed with signed numbers: nothing to subtract.
INLINE v16i start_of(const ck_format format, int32_t sum) {
    (void)format, (void)sum;
    return splat_int(0);
}

INLINE v16i dot_signed(v16i acc, v16u weights, uint32_t four) {
    int8x16_t x = vreinterpretq_s8_u32(vdupq_n_u32(four));
#pragma clang loop unroll(full)
    for (int quarter = 0; quarter < 4; quarter++) {
        int8x16_t w;
        int32x4_t sum;
        memcpy(&w, (const char *)&weights + 16 * quarter, 16);
        memcpy(&sum, (const char *)&acc + 16 * quarter, 16);
#if CK_HAS_NEON_DOT
        sum = vdotq_s32(sum, w, x);
#else
        int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)));
        int32x4_t high = vpaddlq_s16(vmull_high_s8(w, x));
        sum = vaddq_s32(sum, vpaddq_s32(low, high));
#endif
        memcpy((char *)&acc + 16 * quarter, &sum, 16);
    }
    return acc;
}

INLINE v16i dot_int8(v16i acc, v16u weights, uint32_t four) {
    return dot_signed(acc, weights ^ 0x80808080u, four);
}

INLINE v16i dot_int4(v16i acc, v16u weights, uint32_t four) {
    typedef int8_t bytes __attribute__((vector_size(64)));
    return dot_signed(acc, (v16u)((bytes)weights - 8), four);
}

#else

INLINE v16i start_of(const ck_format format, int32_t sum) {
    return splat_int(format == CK_PANEL_INT8 ? -128 * sum : -8 * sum);
}

INLINE v16i dot_int8(v16i acc, v16u weights, uint32_t four) {
    for (int b = 0; b < 4; b++) {
        acc += (v16i)((weights >> (8 * b)) & 0xff) * splat_int((int8_t)(four >> (8 * b)));
    }
    return acc;
}

INLINE v16i dot_int4(v16i acc, v16u weights, uint32_t four) {
    return dot_int8(acc, weights, four);
}

#endif
