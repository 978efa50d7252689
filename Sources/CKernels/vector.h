// Sixteen f32 lanes in the compiler's vector extension: one zmm, two ymm or four q registers, by what the including file
// compiles for. Loads of stored dtypes, the one reduction tree, and e^x.

#include "CKernels.h"
#include <string.h>

// Vectors are passed by value only to functions that are always inlined: no calling convention is involved.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline))

typedef float v16 __attribute__((vector_size(64)));
typedef float v8 __attribute__((vector_size(32)));
typedef float v4 __attribute__((vector_size(16)));
typedef int32_t v16i __attribute__((vector_size(64)));
typedef uint32_t v16u __attribute__((vector_size(64)));
typedef uint16_t v16s __attribute__((vector_size(32)));

// The same at any address.
typedef float v16_any __attribute__((vector_size(64), aligned(1), may_alias));
typedef float v4_any __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint16_t v16s_any __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint32_t v16u_any __attribute__((vector_size(64), aligned(1), may_alias));
typedef float float_any __attribute__((aligned(1), may_alias));
typedef uint16_t uint16_any __attribute__((aligned(1), may_alias));
typedef uint32_t uint32_any __attribute__((aligned(1), may_alias));

#if CK_HAS_FMA
#define FMA(a, b, c) __builtin_elementwise_fma((a), (b), (c))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

INLINE v16 splat(float s) {
    return (v16){s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s};
}

INLINE v16 load(const float *p) {
    return *(const v16_any *)p;
}

INLINE void store(float *p, v16 v) {
    *(v16_any *)p = v;
}

/// mask lanes are 0 or -1, as comparisons give them.
INLINE v16 choose(v16i mask, v16 yes, v16 no) {
    return (v16)((mask & (v16i)yes) | (~mask & (v16i)no));
}

INLINE v16 larger(v16 a, v16 b) {
    return choose(a > b, a, b);
}

INLINE v16 smaller(v16 a, v16 b) {
    return choose(a < b, a, b);
}

INLINE v16 from_bf16(v16s h) {
    return (v16)(__builtin_convertvector(h, v16u) << 16);
}

/// Exact for every f16: subnormals by the multiplication, infinities and NaNs by widening their exponent.
INLINE v16 from_f16(v16s h) {
#if CK_HAS_F16
    typedef _Float16 v16h __attribute__((vector_size(32)));
    return __builtin_convertvector((v16h)h, v16);
#else
    v16u u = __builtin_convertvector(h, v16u);
    v16u magnitude = (u & 0x7fff) << 13;
    v16u special = (v16u)(magnitude >= 0x0f800000u) & 0x7f800000u;
    v16 scaled = (v16)magnitude * splat(0x1p112f);
    v16u bits = (v16u)choose((v16i)(special != 0), (v16)(magnitude | special), scaled);
    return (v16)(bits | ((u & 0x8000) << 16));
#endif
}

INLINE size_t dtype_bytes(ck_dtype dtype) {
    return dtype == CK_F32 ? 4 : 2;
}

/// Sixteen stored numbers from element `i` on.
INLINE v16 load_as(const void *p, ptrdiff_t i, ck_dtype dtype) {
    if (dtype == CK_F32) return load((const float *)p + i);
    v16s h = *(const v16s_any *)((const uint16_t *)p + i);
    return dtype == CK_BF16 ? from_bf16(h) : from_f16(h);
}

/// The last `count` < 16 numbers from element `i` on, then zeros.
INLINE v16 load_tail(const void *p, ptrdiff_t i, ptrdiff_t count, ck_dtype dtype) {
    char padded[64] __attribute__((aligned(64))) = {0};
    size_t size = dtype_bytes(dtype);
    memcpy(padded, (const char *)p + (size_t)i * size, (size_t)count * size);
    return load_as(padded, 0, dtype);
}

INLINE void store_tail(float *p, v16 v, ptrdiff_t count) {
    memcpy(p, &v, (size_t)count * sizeof(float));
}

/// Rounds to nearest even; a NaN stays a (quiet) NaN.
INLINE v16s bf16_from(v16 v) {
    v16u u = (v16u)v;
    v16u rounded = u + 0x7fff + ((u >> 16) & 1);
    v16u quiet = u | 0x400000;
    v16u bits = (v16u)choose(v == v, (v16)rounded, (v16)quiet);
    return __builtin_convertvector(bits >> 16, v16s);
}

// The reduction tree, down to four partial sums; `sum` and `sum4` finish it in the same order.
INLINE v4 fold(v16 v) {
    v8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
        + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    return __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
}

INLINE float sum(v16 v) {
    v4 f = fold(v);
    return (f[0] + f[2]) + (f[1] + f[3]);
}

/// sum(a), sum(b), sum(c), sum(d), the same bits, by one transpose.
INLINE v4 sum4(v16 a, v16 b, v16 c, v16 d) {
    v4 fa = fold(a), fb = fold(b), fc = fold(c), fd = fold(d);
    v4 ab_low = __builtin_shufflevector(fa, fb, 0, 4, 1, 5), cd_low = __builtin_shufflevector(fc, fd, 0, 4, 1, 5);
    v4 ab_high = __builtin_shufflevector(fa, fb, 2, 6, 3, 7), cd_high = __builtin_shufflevector(fc, fd, 2, 6, 3, 7);
    v4 p0 = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    v4 p1 = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    v4 p2 = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    v4 p3 = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
    return (p0 + p2) + (p1 + p3);
}

INLINE float maximum(v16 v) {
    float m = v[0];
    for (int i = 1; i < 16; i++) m = v[i] > m ? v[i] : m;
    return m;
}

/// e^x: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial of degree 7 in r (Cephes expf), scaled by 2^n.
INLINE v16 exponential_of(v16 x) {
    v16i below = x < splat(-87.3f);
    x = larger(smaller(x, splat(88.0f)), splat(-87.3f));
    v16 shifter = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    v16 n = FMA(x, splat(1.44269504f), shifter) - shifter;
    v16 r = FMA(n, splat(-0.693359375f), x);
    r = FMA(n, splat(2.12194440e-4f), r);
    v16 p = splat(1.9875691500e-4f);
    p = FMA(p, r, splat(1.3981999507e-3f));
    p = FMA(p, r, splat(8.3334519073e-3f));
    p = FMA(p, r, splat(4.1665795894e-2f));
    p = FMA(p, r, splat(1.6666665459e-1f));
    p = FMA(p, r, splat(5.0000001201e-1f));
    p = FMA(p, r * r, r) + splat(1.0f);
    v16 power = (v16)((__builtin_convertvector(n, v16i) + 127) << 23);
    return choose(below, splat(0.0f), p * power);
}
