// AVX-512F: 32 registers of 16 lanes; 6 rows x 4 outputs leave room for 4 weights and an activation.

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), apply_to = function)

#define KERNELS ck_kernels_avx512
#define KERNELS_NAME "avx512"
#define CK_HAS_FMA 1
#define CK_HAS_F16 1
#define TILE_ROWS 6
#define TILE_OUTPUTS 4
#define PAIR_OUTPUTS 8
#define SLIM_OUTPUTS 8
#define ATTENTION_TILE 6
#define ATTENTION_GROUPS 4
#include "kernels.h"

#pragma clang attribute pop

#endif
