// The body of one set of kernels. The including file defines KERNELS (the table's symbol), KERNELS_NAME, CK_HAS_FMA,
// CK_HAS_F16, CK_HAS_AVX2, CK_HAS_VNNI, CK_HAS_BF16_DOT, CK_HAS_NEON and the tile sizes of linear.h, and has pushed its target attribute.

#include "vector.h"
#include "rows.h"
#include "dot.h"
#include "linear.h"
#include "attention.h"

const ck_kernels KERNELS = {
    .name = KERNELS_NAME,
    .bf16_form = CK_HAS_BF16_DOT ? CK_FORM_BF16 : CK_FORM_F32,
    .linear = linear,
    .prepare = prepare,
    .rms_norm = rms_norm,
    .silu_multiply = silu_multiply,
    .rope = rope,
    .store_kv = store_kv,
    .attention = attention,
    .exponential = exponential,
    .to_float = to_float,
    .to_bf16 = to_bf16,
};
