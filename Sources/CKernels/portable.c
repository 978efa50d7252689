// Any processor: the compiler lowers sixteen lanes to what its baseline has (NEON with FMA on aarch64, SSE2 on x86-64).

#define KERNELS ck_kernels_portable
#define KERNELS_NAME "portable"
#if defined(__aarch64__)
#define CK_HAS_FMA 1
#define CK_HAS_F16 1
#else
#define CK_HAS_FMA 0
#define CK_HAS_F16 0
#endif
#define TILE_ROWS 3
#define TILE_OUTPUTS 2
#define PAIR_OUTPUTS 2
#define SLIM_OUTPUTS 4
#define ATTENTION_TILE 3
#define ATTENTION_GROUPS 2
#include "kernels.h"
