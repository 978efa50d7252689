// AVX2 with FMA: 16 registers of 8 lanes, two to an accumulator.

#if defined(__x86_64__)

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define KERNELS ck_kernels_avx2
#define KERNELS_NAME "avx2"
#define CK_HAS_FMA 1
#define CK_HAS_F16 1
#define CK_HAS_AVX2 1
#define CK_HAS_VNNI 0
#define CK_HAS_BF16_DOT 0
#define CK_HAS_NEON 0
#define TILE_ROWS 6
#define BF16_TILE_ROWS 5
#define TILE_HALVES 1
#define INTEGER_TILE_ROWS 3
#define INTEGER_UNROLL 2
#define ATTENTION_TILE 3
#define ATTENTION_GROUPS 2
#include "kernels.h"

#pragma clang attribute pop

#endif
