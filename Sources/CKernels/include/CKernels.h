// The arithmetic of the forward pass: every loop that touches weights, activations or the KV cache.
//
// One source, compiled once for each kind of processor (avx512bf16.c, avx512.c, avx2.c, neondot.c, neon.c, portable.c) and
// chosen at run time; `portable` is what other processors get, vectorised by the compiler.
//
// ROW INVARIANCE. The value of an output element depends on its own row, its own weights and (attention) its own context,
// and on nothing else: not on how many rows are computed with it, not on its row index, not on how the work was split.
// Every reduction therefore has one order. In products a lane is an output, and its sum runs over the inputs in turn; tiles
// only change which elements are computed side by side. Norms add 16 lanes by one tree, (((l0+l8)+(l4+l12))+...).
// avx2 walks the same 16 lanes in two registers, so that it gives the same bits as avx512; avx512bf16 multiplies bf16
// weights with activations rounded to bf16, and so gives other bits with those weights only.
//
// PACKED WEIGHTS. A matrix [outputs, inputs] is kept as panels of 32 outputs, the last one padded with zeros; a panel is
// one run of memory that a product reads from begin to end:
//   F32, F16   [inputs][32]
//   BF16       [inputs / 2, rounded up][32][2]: two inputs of an output lie together, as processors multiply them
//   INT8       [inputs / 32]{ f16 scale [32], u8 [8][32][4] }: weight = scale * (stored - 128), four inputs together
//   INT4       [inputs / 32]{ f16 scale [32], u8 [4][32][4] }: byte b of chunk c is input 8 c + b in its low half and input
//              8 c + 4 + b in its high one; weight = scale * (stored - 8)
// Activations are given in the form that the format is multiplied with (`ck_form`), made once for all outputs.

#ifndef CATENA_CKERNELS_H
#define CATENA_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// How a stored number is written. Activations are always f32.
typedef enum ck_dtype {
    CK_F32 = 0,
    CK_BF16 = 1,
    CK_F16 = 2,
} ck_dtype;

/// How packed weights are written.
typedef enum ck_format {
    CK_PANEL_F32 = 0,
    CK_PANEL_F16 = 1,
    CK_PANEL_BF16 = 2,
    CK_PANEL_INT8 = 3,
    CK_PANEL_INT4 = 4,
} ck_format;

/// How the activations of a product are written.
typedef enum ck_form {
    CK_FORM_F32 = 0,
    CK_FORM_BF16 = 1,
    CK_FORM_INT8 = 2,  ///< an array of ck_group
} ck_form;

enum {
    CK_PANEL = 32,  ///< outputs of a panel
    CK_GROUP = 32,  ///< inputs that share a scale
};

/// 32 quantised activations: x = scale * q.
typedef struct ck_group {
    int8_t q[CK_GROUP];
    float scale;
    int32_t sum;  ///< of all q
} ck_group;

/// Tokens in a group of the KV cache: keys lie transposed in groups of 16, one token a lane.
enum { CK_TOKEN_GROUP = 16 };

/// Sizes of attention's scratch: queries that are computed together, and room for the scores of one of them.
enum { CK_ATTENTION_QUERIES = 24, CK_ATTENTION_SCORES = 256 + 16 };

/// Attention of a run of rows, consecutive tokens of one sequence, over their contexts, for the query heads that tile onto
/// one KV head.
typedef struct ck_attention {
    const float *query;           ///< first row's first query head, [head_dim], RoPE applied
    float *output;                ///< where its result goes, [head_dim]; rows and heads lie as those of `query`
    ptrdiff_t row_stride;         ///< floats from one row to the next
    ptrdiff_t head_stride;        ///< floats from one tiled head to the next (kv_heads * head_dim)
    int32_t rows;
    int32_t heads;                ///< query heads tiled onto this KV head
    int32_t head_dim;             ///< even
    int32_t context;              ///< the first row attends to positions 0 ..< context, the next to one more, ...
    float scale;                  ///< 1 / sqrt(head_dim)
    const char *blocks;           ///< first byte of the block pool
    ptrdiff_t block_bytes;        ///< bytes of one block
    const int32_t *block_table;   ///< block of positions [0, block_tokens), [block_tokens, 2 * block_tokens), ...
    int32_t block_tokens;         ///< a multiple of CK_TOKEN_GROUP
    ck_dtype dtype;               ///< CK_F32 or CK_BF16
    ptrdiff_t key_offset;         ///< bytes from a block's start to this head's keys, [block_tokens/16][head_dim][16]
    ptrdiff_t value_offset;       ///< bytes from a block's start to this head's values, [block_tokens][head_dim]
    float *scratch;               ///< CK_ATTENTION_QUERIES * (head_dim + CK_ATTENTION_SCORES) floats
} ck_attention;

/// One compiled set of kernels.
typedef struct ck_kernels {
    /// "avx512bf16", "avx512", "avx2", "neondot", "neon" or "portable": the words of CATENA_CPU.
    const char *name;

    /// The form of the activations that bf16 weights are multiplied with: CK_FORM_BF16 where the processor multiplies bf16.
    ck_form bf16_form;

    /// y[r, o] = sum_i x[r, i] * w[o, i], or += when `accumulate`; r < rows, o < outputs, i < inputs.
    /// `w` is the first panel, at any alignment; `y_stride` counts floats, `x_stride` bytes.
    void (*linear)(float *y, ptrdiff_t y_stride, const void *x, ptrdiff_t x_stride, ptrdiff_t rows,
                   const void *w, ck_format format, ptrdiff_t inputs, ptrdiff_t outputs, int accumulate);

    /// Writes rows of activations in a form. `width` is a multiple of CK_GROUP for CK_FORM_INT8.
    /// `y_stride` counts bytes, `x_stride` floats.
    void (*prepare)(void *y, ptrdiff_t y_stride, ck_form form, const float *x, ptrdiff_t x_stride, ptrdiff_t rows,
                    ptrdiff_t width);

    /// y[r, :] = x[r, :] / sqrt(mean(x[r, :]^2) + epsilon) * weight
    void (*rms_norm)(float *y, const float *x, ptrdiff_t stride, ptrdiff_t rows, const float *weight,
                     ptrdiff_t width, float epsilon);

    /// gate[r, :] = silu(gate[r, :]) * up[r, :]
    void (*silu_multiply)(float *gate, const float *up, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width);

    /// Rotates `heads` consecutive heads in place, rotate-half convention; cosine and sine are [head_dim / 2].
    void (*rope)(float *x, ptrdiff_t heads, ptrdiff_t head_dim, const float *cosine, const float *sine);

    /// Writes one head's key (RoPE applied) and value of one token into its block. `key` and `value` point at the
    /// head's first byte in the block, `slot` is the token's place in it.
    void (*store_kv)(char *key, char *value, ck_dtype dtype, ptrdiff_t slot, const float *k, const float *v,
                     ptrdiff_t head_dim);

    /// softmax(q . K^T * scale) . V over paged keys and values.
    void (*attention)(const ck_attention *arguments);

    /// y[i] = e^x[i], within 2 units in the last place; 0 below -87.3, e^88 above 88. (For tests: attention and
    /// silu_multiply use the same lines.)
    void (*exponential)(float *y, const float *x, ptrdiff_t count);

    /// Expands stored numbers to f32, exactly.
    void (*to_float)(float *y, const void *x, ck_dtype dtype, ptrdiff_t count);

    /// Rounds f32 to bf16 (to nearest, ties to even; a NaN stays a NaN).
    void (*to_bf16)(uint16_t *y, const float *x, ptrdiff_t count);
} ck_kernels;

/// Bytes of one panel. `inputs` is a multiple of CK_GROUP for INT8 and INT4.
size_t ck_panel_bytes(ck_format format, ptrdiff_t inputs);

/// Packs `outputs` rows of `inputs` weights, beginning a panel; F32, F16 and BF16 keep (or round to) floating point, INT8 and
/// INT4 quantise: each group of 32 inputs of an output gets the scale that suits it.
void ck_pack(void *panels, ck_format format, const void *w, ck_dtype dtype, ptrdiff_t outputs, ptrdiff_t inputs);

/// The weights [inputs] of one output, as the products see them.
void ck_unpack_row(float *y, const void *panels, ck_format format, ptrdiff_t inputs, ptrdiff_t output);

/// One panel of a floating-point format as f32, [inputs][CK_PANEL].
void ck_expand_panel(float *y, const void *panel, ck_format format, ptrdiff_t inputs);

/// The best kernels of this processor, or those named by the environment variable CATENA_CPU (avx512bf16, avx512, avx2,
/// neondot, neon, portable or scalar). Decided once. A name that this processor cannot run is ignored.
const ck_kernels *ck_kernels_active(void);

/// The kernels of that name, or NULL where this processor cannot run them.
const ck_kernels *ck_kernels_named(const char *name);

/// Rounds one f32 to f16 (to nearest, ties to even; overflow gives infinity).
uint16_t ck_f16_from_float(float x);

/// Rounds one f32 to bf16 (to nearest, ties to even; a NaN stays a NaN).
uint16_t ck_bf16_from_float(float x);

/// Tells the processor that this thread spins.
static inline void ck_spin_hint(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/// Whether this processor has the instructions for `ck_crc32_fold`.
int ck_crc32_can_fold(void);

/// Bytes shortened to 16 with the same CRC-32 (that of gzip), begun at 0 and without the inversions at its two ends.
///
/// `state` is the CRC-32 of what was before, inverted; `count` a multiple of 64, and not 0.
void ck_crc32_fold(uint8_t residue[16], uint32_t state, const uint8_t *bytes, size_t count);

#endif
