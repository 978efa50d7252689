// Any processor: the compiler lowers sixteen lanes to what its baseline has (SSE2 on x86-64).

#define KERNELS ck_kernels_portable
#define KERNELS_NAME "portable"
#if defined(__aarch64__)
#define CK_HAS_FMA 1
#define CK_HAS_F16 1
#else
#define CK_HAS_FMA 0
#define CK_HAS_F16 0
#endif
#define CK_HAS_AVX2 0
#define CK_HAS_VNNI 0
#define CK_HAS_BF16_DOT 0
#define CK_HAS_NEON 0
#define TILE_ROWS 4
#define BF16_TILE_ROWS 4
#define TILE_HALVES 1
#define INTEGER_TILE_ROWS 2
#define INTEGER_UNROLL 2
#define ATTENTION_TILE 3
#define ATTENTION_GROUPS 2
#include "kernels.h"
