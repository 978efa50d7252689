// AVX-512 that multiplies bf16 (Cooper Lake, Sapphire Rapids, Zen 4 and later) and 8-bit integers.

#if defined(__x86_64__)

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"))), apply_to = function)

#define KERNELS ck_kernels_avx512bf16
#define KERNELS_NAME "avx512bf16"
#define CK_HAS_FMA 1
#define CK_HAS_F16 1
#define CK_HAS_AVX2 1
#define CK_HAS_VNNI 1
#define CK_HAS_BF16_DOT 1
#define CK_HAS_NEON 0
#define TILE_ROWS 12
#define BF16_TILE_ROWS 12
#define TILE_HALVES 2
#define INTEGER_TILE_ROWS 6
#define INTEGER_UNROLL 8
#define ATTENTION_TILE 6
#define ATTENTION_GROUPS 4
#include "kernels.h"

#pragma clang attribute pop

#endif
