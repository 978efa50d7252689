// AVX2 with FMA: 16 registers of 8 lanes, two to an accumulator.

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define KERNELS ck_kernels_avx2
#define KERNELS_NAME "avx2"
#define CK_HAS_FMA 1
#define CK_HAS_F16 1
#define TILE_ROWS 3
#define TILE_OUTPUTS 2
#define PAIR_OUTPUTS 2
#define SLIM_OUTPUTS 4
#define ATTENTION_TILE 3
#define ATTENTION_GROUPS 2
#include "kernels.h"

#pragma clang attribute pop

#endif
