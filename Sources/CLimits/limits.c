// The fastest loops for reading and for multiply-adds, one body each, compiled for what x86-64 processors have and chosen
// at run time; other architectures get what their compiler makes of 64-byte vectors.

#include "CLimits.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl"), noinline))
#define AVX2 __attribute__((target("avx2,fma"), noinline))
#endif

#define INLINE static inline __attribute__((always_inline))

typedef uint64_t words __attribute__((vector_size(64)));
typedef float floats __attribute__((vector_size(64)));

// MARK: Reading

/// Walks `streams` stretches of the memory side by side, for as many prefetchers are then at work. It asks for nothing
/// ahead: on Zen 4 every distance tried made it slower.
INLINE uint64_t read_streams(const char *start, size_t bytes, size_t streams) {
    const size_t stretch = bytes / streams;
    words sums[4] = {{0}, {0}, {0}, {0}};
    for (size_t offset = 0; offset < stretch; offset += 256) {
        for (size_t stream = 0; stream < streams; stream++) {
            const char *line = start + stream * stretch + offset;
            for (size_t i = 0; i < 4; i++) sums[i] ^= *(const words *)(line + i * 64);
        }
    }
    const words sum = (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
    uint64_t result = 0;
    for (size_t i = 0; i < 8; i++) result ^= sum[i];
    return result;
}

INLINE uint64_t read_body(int reader, const char *start, size_t bytes) {
    return reader == 0 ? read_streams(start, bytes, 1) : read_streams(start, bytes, 4);
}

static uint64_t read_portable(int reader, const char *start, size_t bytes) { return read_body(reader, start, bytes); }

#if defined(__x86_64__)
AVX512 static uint64_t read_avx512(int reader, const char *start, size_t bytes) {
    return read_body(reader, start, bytes);
}

AVX2 static uint64_t read_avx2(int reader, const char *start, size_t bytes) { return read_body(reader, start, bytes); }
#endif

uint64_t cl_read(int reader, const void *start, size_t bytes) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        return read_avx512(reader, start, bytes);
    }
    if (__builtin_cpu_supports("avx2")) return read_avx2(reader, start, bytes);
#endif
    return read_portable(reader, start, bytes);
}

// MARK: Dot products

/// Chains of dependent multiply-adds that run side by side: more than latency times issue width of any processor here,
/// few enough for its registers.
enum { CHAINS = 12 };

/// Keeps the compiler from knowing what the factors are, and so from computing anything in advance.
static volatile float factor = 0.001f;

/// Chains of `lanes` lanes, written out for one vector type; they come to rest near `factor`, far from slow denormals.
#define F32_CHAINS(vector, lanes)                                                                                     \
    const float x = factor;                                                                                            \
    vector a, sums[CHAINS];                                                                                            \
    for (int lane = 0; lane < lanes; lane++) a[lane] = x;                                                              \
    for (int i = 0; i < CHAINS; i++) sums[i] = a;                                                                      \
    for (size_t round = 0; round < rounds; round++) {                                                                  \
        for (int i = 0; i < CHAINS; i++) sums[i] = sums[i] * a + a;                                                            \
    }                                                                                                                  \
    for (int i = 0; i < CHAINS; i++) *sink += sums[i][0];                                                              \
    return 2.0 * CHAINS * lanes * (double)rounds

typedef float floats4 __attribute__((vector_size(16)));

static double f32_portable(size_t rounds, float *sink) { F32_CHAINS(floats4, 4); }

#if defined(__x86_64__)
typedef float floats8 __attribute__((vector_size(32)));

AVX512 static double f32_avx512(size_t rounds, float *sink) { F32_CHAINS(floats, 16); }

AVX2 static double f32_avx2(size_t rounds, float *sink) { F32_CHAINS(floats8, 8); }

__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"), noinline))
static double bf16_avx512(size_t rounds, float *sink) {
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(factor), _mm512_set1_ps(factor));
    __m512 sums[CHAINS];
    for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_setzero_ps();
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
    }
    for (int i = 0; i < CHAINS; i++) *sink += _mm512_cvtss_f32(sums[i]);
    return 2.0 * CHAINS * 32 * (double)rounds;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"), noinline))
static double i8_avx512(size_t rounds, float *sink) {
    const __m512i a = _mm512_set1_epi8((char)(factor * 3000));
    __m512i sums[CHAINS];
    for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_setzero_si512();
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], a, a);
    }
    for (int i = 0; i < CHAINS; i++) *sink += (float)_mm512_cvtsi512_si32(sums[i]);
    return 2.0 * CHAINS * 64 * (double)rounds;
}
#endif

int cl_has_dot(cl_dot_kind kind) {
    switch (kind) {
    case CL_DOT_F32: return 1;
#if defined(__x86_64__)
    case CL_DOT_BF16: return __builtin_cpu_supports("avx512bf16") != 0;
    case CL_DOT_I8: return __builtin_cpu_supports("avx512vnni") != 0;
#endif
    default: return 0;
    }
}

double cl_dot(cl_dot_kind kind, size_t rounds, float *sink) {
    if (!cl_has_dot(kind)) return 0;
#if defined(__x86_64__)
    if (kind == CL_DOT_BF16) return bf16_avx512(rounds, sink);
    if (kind == CL_DOT_I8) return i8_avx512(rounds, sink);
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) return f32_avx512(rounds, sink);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return f32_avx2(rounds, sink);
#endif
    return f32_portable(rounds, sink);
}
