// Attention of one token over a paged cache, for all query heads that tile onto one KV head.
//
// Three passes. Scores: keys lie transposed in groups of 16 tokens, so a lane is a token and nothing is summed across lanes;
// a group of keys is read from memory once for all heads. Softmax: the exact maximum first, then e^(s - max), so the order
// of additions depends on the context's length alone. Values: a lane is a dimension, tokens are added in order into four
// partial sums (token mod 4). A head's result is the same bits whatever other heads are computed with it.
//
// A head has a few KiB in a block and the next block is far away, which the processor cannot foresee: while one group is
// worked on, the next is asked for.

/// First byte of the block at a place of the sequence's table; of the last one for places beyond it.
INLINE const char *block_at(const ck_attention *a, ptrdiff_t place, ptrdiff_t blocks) {
    return a->blocks + a->block_table[place < blocks ? place : blocks - 1] * a->block_bytes;
}

/// Scores of `H` heads against 16 keys. Four partial sums (dimension mod 4) hide the latency of the multiply-add.
INLINE void score_group(const int H, const ck_dtype dtype, const ck_attention *a, const char *keys, const float *query,
                        float *scores, ptrdiff_t scores_stride, ptrdiff_t tokens, const char *next) {
    v16 acc[4 * 2];
#pragma clang loop unroll(full)
    for (int j = 0; j < 4 * H; j++) acc[j] = splat(0.0f);
    ptrdiff_t d = 0;
    for (; d + 4 <= a->head_dim; d += 4) {
#pragma clang loop unroll(full)
        for (int p = 0; p < 4; p++) {
            __builtin_prefetch(next + (d + p) * CK_TOKEN_GROUP * (ptrdiff_t)dtype_bytes(dtype));
            v16 key = load_as(keys, (d + p) * CK_TOKEN_GROUP, dtype);
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) {
                acc[4 * h + p] = FMA(splat(query[h * a->head_stride + d + p]), key, acc[4 * h + p]);
            }
        }
    }
    for (; d < a->head_dim; d++) {
        v16 key = load_as(keys, d * CK_TOKEN_GROUP, dtype);
#pragma clang loop unroll(full)
        for (int h = 0; h < H; h++) acc[4 * h] = FMA(splat(query[h * a->head_stride + d]), key, acc[4 * h]);
    }
    const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#pragma clang loop unroll(full)
    for (int h = 0; h < H; h++) {
        v16 s = ((acc[4 * h] + acc[4 * h + 1]) + (acc[4 * h + 2] + acc[4 * h + 3])) * splat(a->scale);
        store(scores + h * scores_stride, choose(lane < (int32_t)tokens, s, splat(-__builtin_inff())));
    }
}

/// output[16 dimensions] of `H` heads = sum over the context of weight[token] * value[token].
INLINE void mix_values(const int H, const ck_dtype dtype, const ck_attention *a, ptrdiff_t blocks, ptrdiff_t dimension,
                       ptrdiff_t width, const float *weights, ptrdiff_t weights_stride, float *output) {
    v16 acc[4 * 2];
#pragma clang loop unroll(full)
    for (int j = 0; j < 4 * H; j++) acc[j] = splat(0.0f);
    ptrdiff_t step = a->head_dim;
    for (ptrdiff_t block = 0; block < blocks; block++) {
        const char *values = block_at(a, block, blocks) + a->value_offset;
        const char *next = block_at(a, block + 1, blocks) + a->value_offset;
        ptrdiff_t first = block * a->block_tokens;
        ptrdiff_t count = a->context - first < a->block_tokens ? a->context - first : a->block_tokens;
        ptrdiff_t t = 0;
        if (width == 16) {
            for (; t + 4 <= count; t += 4) {
#pragma clang loop unroll(full)
                for (int p = 0; p < 4; p++) {
                    __builtin_prefetch(next + ((t + p) * step + dimension) * (ptrdiff_t)dtype_bytes(dtype));
                    v16 value = load_as(values, (t + p) * step + dimension, dtype);
#pragma clang loop unroll(full)
                    for (int h = 0; h < H; h++) {
                        v16 weight = splat(weights[h * weights_stride + first + t + p]);
                        acc[4 * h + p] = FMA(weight, value, acc[4 * h + p]);
                    }
                }
            }
        }
        for (; t < count; t++) {
            v16 value = width == 16 ? load_as(values, t * step + dimension, dtype)
                                    : load_tail(values, t * step + dimension, width, dtype);
            ptrdiff_t p = t % 4;
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) {
                v16 weight = splat(weights[h * weights_stride + first + t]);
                // Four selects instead of an indexed accumulator, which would live in memory.
#pragma clang loop unroll(full)
                for (int q = 0; q < 4; q++) {
                    if (q == p) acc[4 * h + q] = FMA(weight, value, acc[4 * h + q]);
                }
            }
        }
    }
#pragma clang loop unroll(full)
    for (int h = 0; h < H; h++) {
        v16 mixed = (acc[4 * h] + acc[4 * h + 1]) + (acc[4 * h + 2] + acc[4 * h + 3]);
        store_tail(output + h * a->head_stride, mixed, width);
    }
}

/// scores := e^(s - max) / sum, the padding lanes (-infinity) become 0.
INLINE void softmax(float *scores, ptrdiff_t count) {
    v16 top = load(scores);
    for (ptrdiff_t i = 16; i < count; i += 16) top = larger(load(scores + i), top);
    v16 shift = splat(maximum(top)), total = splat(0.0f);
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 e = exponential_of(load(scores + i) - shift);
        total += e;
        store(scores + i, e);
    }
    v16 scale = splat(1.0f / sum(total));
    for (ptrdiff_t i = 0; i < count; i += 16) store(scores + i, load(scores + i) * scale);
}

/// Scores of all heads against one block, a group of 16 tokens at a time.
INLINE void score_block(const ck_dtype dtype, const ck_attention *a, const char *keys, const char *next_block,
                        ptrdiff_t first, ptrdiff_t tokens, ptrdiff_t stride) {
    ptrdiff_t group_bytes = CK_TOKEN_GROUP * a->head_dim * (ptrdiff_t)dtype_bytes(dtype);
    for (ptrdiff_t t = 0; t < tokens; t += CK_TOKEN_GROUP, keys += group_bytes) {
        const char *next = t + CK_TOKEN_GROUP < tokens ? keys + group_bytes : next_block;
        float *scores = a->scores + first + t;
        int32_t h = 0;
        for (; h + 2 <= a->heads; h += 2) {
            score_group(2, dtype, a, keys, a->query + h * a->head_stride, scores + h * stride, stride, tokens - t, next);
        }
        if (h < a->heads) {
            score_group(1, dtype, a, keys, a->query + h * a->head_stride, scores + h * stride, stride, tokens - t, next);
        }
    }
}

INLINE void attention_over(const ck_dtype dtype, const ck_attention *a) {
    ptrdiff_t padded = (a->context + CK_TOKEN_GROUP - 1) / CK_TOKEN_GROUP * CK_TOKEN_GROUP;
    ptrdiff_t blocks = (a->context + a->block_tokens - 1) / a->block_tokens;
    for (ptrdiff_t block = 0; block < blocks; block++) {
        ptrdiff_t first = block * a->block_tokens;
        ptrdiff_t tokens = a->context - first < a->block_tokens ? a->context - first : a->block_tokens;
        score_block(dtype, a, block_at(a, block, blocks) + a->key_offset,
                    block_at(a, block + 1, blocks) + a->key_offset, first, tokens, padded);
    }
    for (int32_t h = 0; h < a->heads; h++) softmax(a->scores + h * padded, padded);
    for (ptrdiff_t d = 0; d < a->head_dim; d += 16) {
        ptrdiff_t width = a->head_dim - d < 16 ? a->head_dim - d : 16;
        int32_t h = 0;
        for (; h + 2 <= a->heads; h += 2) {
            mix_values(2, dtype, a, blocks, d, width, a->scores + h * padded, padded, a->output + h * a->head_stride + d);
        }
        if (h < a->heads) {
            mix_values(1, dtype, a, blocks, d, width, a->scores + h * padded, padded, a->output + h * a->head_stride + d);
        }
    }
}

static void attention(const ck_attention *a) {
    if (a->dtype == CK_F32) {
        attention_over(CK_F32, a);
    } else {
        attention_over(CK_BF16, a);
    }
}
