// NEON (every aarch64): 32 registers of 4 lanes, four to an accumulator.

#if defined(__aarch64__)

#include <arm_neon.h>

#define KERNELS ck_kernels_neon
#define KERNELS_NAME "neon"
#define CK_HAS_FMA 1
#define CK_HAS_F16 1
#define CK_HAS_AVX2 0
#define CK_HAS_VNNI 0
#define CK_HAS_BF16_DOT 0
#define CK_HAS_NEON 1
#define CK_HAS_NEON_DOT 0
#define TILE_ROWS 6
#define BF16_TILE_ROWS 6
#define TILE_HALVES 1
#define INTEGER_TILE_ROWS 3
#define INTEGER_UNROLL 2
#define ATTENTION_TILE 3
#define ATTENTION_GROUPS 2
#include "kernels.h"

#endif
