// Attention over a paged cache: a run of rows of one sequence, for all query heads that tile onto one KV head.
//
// A query is one head of one row. Queries go through register tiles, so that a key or value is loaded once for a tile of
// them, and up to CK_ATTENTION_QUERIES at a time over the same keys and values while those are in the nearest caches.
//
// The cache is walked in chunks of CHUNK tokens. Scores: keys lie transposed in groups of 16 tokens, so a lane is a token and
// nothing is summed across lanes; each adds up dimension after dimension. Softmax: the chunk's exact maximum, then
// e^(s - maximum so far); what earlier chunks gave is scaled down to a new maximum (Milakov and Gimelshein, arXiv
// 1805.02867). Values: a lane is a dimension, which adds up token after token. Chunks begin at multiples of CHUNK, a query
// never touches a token beyond its own context, and tiles only change which sums are computed side by side: so a query's
// result is the same bits in any company.
//
// bf16 comes in pairs, two dimensions of a key or two tokens of a value in a 32-bit lane. Where the processor multiplies such
// pairs, queries and e^(s - maximum) are rounded to bf16 like the keys and values that they meet.
//
// A head has a few KiB in a block and the next block is far away, which the processor cannot foresee: while some groups are
// worked on, the next are asked for.
//
// The including file says how many accumulators its registers hold: ATTENTION_TILE queries x ATTENTION_GROUPS, the latter
// groups of 16 keys or 16 dimensions of a value.

enum { CHUNK = 256, CHUNK_GROUPS = CHUNK / CK_TOKEN_GROUP, SCORE_STRIDE = CK_ATTENTION_SCORES };

/// Values are asked for this many groups ahead.
enum { AHEAD = 2 };

/// Into the second-level cache: the first has too few places for lines on their way (15 GB/s with it, 21 so).
#define ASK_FOR(line) __builtin_prefetch((line), 0, 2)

_Static_assert(SCORE_STRIDE >= CHUNK, "a query's scores of one chunk");

/// What is known of the queries at hand, up to CK_ATTENTION_QUERIES of them.
typedef struct attention_state {
    const ck_attention *a;
    ptrdiff_t queries;
    ptrdiff_t query_stride;                ///< of `packed`
    float *packed;                         ///< [queries][query_stride], scaled; for pairs, bf16 in the first half of each
    float *scores;                         ///< [queries][SCORE_STRIDE], of the chunk at hand; then e^(s - top), likewise
    int32_t context[CK_ATTENTION_QUERIES]; ///< never less than the one before
    float *output[CK_ATTENTION_QUERIES];
    float top[CK_ATTENTION_QUERIES];       ///< highest score so far
    v16 total[CK_ATTENTION_QUERIES];       ///< sum of e^(s - top) so far, lane by lane
} attention_state;

/// The 16-token groups of one chunk: where each would lie if keys and values began at the block's start. AHEAD more than it
/// has, to be asked for at its end.
typedef struct attention_chunk {
    ptrdiff_t first;   ///< token
    ptrdiff_t groups;
    const char *group[CHUNK_GROUPS + AHEAD];
} attention_chunk;

INLINE ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

/// Groups of the chunk at `first` that a context reaches into.
INLINE ptrdiff_t groups_within(ptrdiff_t context, ptrdiff_t first) {
    ptrdiff_t tokens = least(context - first, CHUNK);
    return tokens <= 0 ? 0 : (tokens + CK_TOKEN_GROUP - 1) / CK_TOKEN_GROUP;
}

INLINE void find_chunk(attention_chunk *c, const ck_attention *a, ptrdiff_t first, ptrdiff_t context, size_t size) {
    c->first = first;
    c->groups = groups_within(context, first);
    ptrdiff_t block = first / a->block_tokens, token = first % a->block_tokens;
    for (ptrdiff_t g = 0; g < c->groups + AHEAD; g++, token += CK_TOKEN_GROUP) {
        if (token == a->block_tokens) {
            block++;
            token = 0;
        }
        if (block * a->block_tokens + token >= context) {  // the table may end here
            c->group[g] = c->group[0];
            continue;
        }
        c->group[g] = a->blocks + a->block_table[block] * a->block_bytes + token * a->head_dim * (ptrdiff_t)size;
    }
}

/// The two bf16 of each lane as f32; `*first` holds the pairs.
INLINE void split(v16 *first, v16 *second) {
    v16u pairs = (v16u)*first;
    *first = (v16)(pairs << 16);
    *second = (v16)(pairs & 0xffff0000u);
}

// MARK: Scores

/// scores[Q][16 G] = queries[Q] . keys of G groups. One sum per score, in the order of dimensions.
INLINE void score_tile(const int Q, const int G, const ck_dtype dtype, ptrdiff_t head_dim, const char *const *keys,
                       const char *const *next, const float *queries, ptrdiff_t query_stride, float *scores) {
    v16 acc[ATTENTION_TILE * ATTENTION_GROUPS];
#pragma clang loop unroll(full)
    for (int j = 0; j < Q * G; j++) acc[j] = splat(0.0f);
    for (ptrdiff_t d = 0; d < head_dim; d += 2) {  // dimensions come in pairs, as RoPE turns them
        const ptrdiff_t pair = d * CK_TOKEN_GROUP * (ptrdiff_t)dtype_bytes(dtype);
        v16 first[ATTENTION_GROUPS], second[ATTENTION_GROUPS];
#pragma clang loop unroll(full)
        for (int g = 0; g < G; g++) {
            ASK_FOR(next[g] + pair);
            if (dtype == CK_F32) {
                ASK_FOR(next[g] + pair + 64);
                first[g] = load((const float *)(keys[g] + pair));
                second[g] = load((const float *)(keys[g] + pair) + CK_TOKEN_GROUP);
            } else {
                first[g] = (v16)*(const v16u_any *)(keys[g] + pair);
                if (!CK_HAS_BF16_DOT) split(&first[g], &second[g]);
            }
        }
#pragma clang loop unroll(full)
        for (int q = 0; q < Q; q++) {
#if CK_HAS_BF16_DOT
            if (dtype == CK_BF16) {
                uint32_t both = ((const uint32_any *)(queries + q * query_stride))[d / 2];
#pragma clang loop unroll(full)
                for (int g = 0; g < G; g++) acc[q * G + g] = dot_bf16(acc[q * G + g], (v16u)first[g], both);
                continue;
            }
#endif
            v16 a = splat(queries[q * query_stride + d]), b = splat(queries[q * query_stride + d + 1]);
#pragma clang loop unroll(full)
            for (int g = 0; g < G; g++) {
                acc[q * G + g] = FMA(a, first[g], acc[q * G + g]);
                acc[q * G + g] = FMA(b, second[g], acc[q * G + g]);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int q = 0; q < Q; q++) {
#pragma clang loop unroll(full)
        for (int g = 0; g < G; g++) store(scores + q * SCORE_STRIDE + g * CK_TOKEN_GROUP, acc[q * G + g]);
    }
}

/// Scores of a tile of Q queries against `groups` <= ATTENTION_GROUPS groups.
INLINE void score_groups(const int Q, const ck_dtype dtype, ptrdiff_t head_dim, ptrdiff_t groups, const char *const *keys,
                         const char *const *next, const float *queries, ptrdiff_t query_stride, float *scores) {
    ptrdiff_t g = 0;
    if (groups == ATTENTION_GROUPS) {
        score_tile(Q, ATTENTION_GROUPS, dtype, head_dim, keys, next, queries, query_stride, scores);
        return;
    }
#if ATTENTION_GROUPS > 2
    if (groups >= 2) {
        score_tile(Q, 2, dtype, head_dim, keys, next, queries, query_stride, scores);
        g = 2;
    }
#endif
    if (g < groups) {
        score_tile(Q, 1, dtype, head_dim, keys + g, next + g, queries, query_stride, scores + g * CK_TOKEN_GROUP);
    }
}

/// Scores of all queries over a chunk, ATTENTION_GROUPS groups at a time.
INLINE void score_chunk(const ck_dtype dtype, attention_state *s, const attention_chunk *c) {
    const ck_attention *a = s->a;
    for (ptrdiff_t g = 0; g < c->groups; g += ATTENTION_GROUPS) {
        const char *keys[ATTENTION_GROUPS], *next[ATTENTION_GROUPS];
        for (int j = 0; j < ATTENTION_GROUPS; j++) {
            ptrdiff_t follower = g + ATTENTION_GROUPS + j;
            keys[j] = c->group[least(g + j, c->groups - 1)] + a->key_offset;
            // After the keys come the values.
            next[j] = follower < c->groups ? c->group[follower] + a->key_offset
                                           : c->group[least(j, c->groups - 1)] + a->value_offset;
        }
        for (ptrdiff_t q = 0; q < s->queries; q += ATTENTION_TILE) {
            ptrdiff_t tile = least(s->queries - q, ATTENTION_TILE);
            ptrdiff_t groups = least(groups_within(s->context[q + tile - 1], c->first) - g, ATTENTION_GROUPS);
            if (groups <= 0) continue;
            const float *queries = s->packed + q * s->query_stride;
            float *scores = s->scores + q * SCORE_STRIDE + g * CK_TOKEN_GROUP;
            const char *const *ahead = q == 0 ? next : keys;  // asked for once
#define TILE(Q) case Q: score_groups(Q, dtype, a->head_dim, groups, keys, ahead, queries, s->query_stride, scores); break
            switch (tile) {
                TILE(1); TILE(2); TILE(3);
#if ATTENTION_TILE > 3
                TILE(4); TILE(5); TILE(6);
#endif
            }
#undef TILE
        }
    }
}

// MARK: Softmax

/// Scores of one query's chunk become e^(s - top), 0 beyond its context; its result so far is scaled to the new top.
INLINE void exponentiate(const ck_dtype dtype, attention_state *s, ptrdiff_t q, ptrdiff_t first) {
    ptrdiff_t groups = groups_within(s->context[q], first);
    if (groups == 0) return;
    float *scores = s->scores + q * SCORE_STRIDE, *last = scores + (groups - 1) * CK_TOKEN_GROUP;
    const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    int32_t rest = (int32_t)(s->context[q] - first - (groups - 1) * CK_TOKEN_GROUP);
    store(last, choose(lane < rest, load(last), splat(-__builtin_inff())));

    v16 high = load(scores);
    for (ptrdiff_t g = 1; g < groups; g++) high = larger(load(scores + g * CK_TOKEN_GROUP), high);
    float top = maximum(high);
    if (first > 0) {
        top = top > s->top[q] ? top : s->top[q];
        v16 shrink = exponential_of(splat(s->top[q] - top));
        s->total[q] *= shrink;
        float *output = s->output[q];
        ptrdiff_t d = 0, head_dim = s->a->head_dim;
        for (; d + 16 <= head_dim; d += 16) store(output + d, load(output + d) * shrink);
        for (; d < head_dim; d++) output[d] *= shrink[0];
    }
    s->top[q] = top;
    v16 shift = splat(top), total = s->total[q];
    for (ptrdiff_t g = 0; g < groups; g++) {
        v16 e = exponential_of(load(scores + g * CK_TOKEN_GROUP) - shift);
#if CK_HAS_BF16_DOT
        if (dtype == CK_BF16) {
            v16s rounded = round_bf16(e);
            total += from_bf16(rounded);
            *(v16s_any *)((uint16_t *)scores + g * CK_TOKEN_GROUP) = rounded;  // behind what is still to be read
            continue;
        }
#endif
        total += e;
        store(scores + g * CK_TOKEN_GROUP, e);
    }
    s->total[q] = total;
}

// MARK: Values

/// acc[Q][16 D dimensions] += weights[Q] . values, of one token or, bf16, of two: of the first of them if `is_half`, when the
/// other may be anything.
INLINE void mix_step(const int Q, const int D, const ck_dtype dtype, const int is_half, ptrdiff_t width, const char *values,
                     const char *next, const float *weights, v16 *acc) {
    v16 first[ATTENTION_GROUPS], second[ATTENTION_GROUPS];
#pragma clang loop unroll(full)
    for (int j = 0; j < D; j++) {
        ASK_FOR(next + 64 * j);
        first[j] = width == 16 ? load((const float *)(values + 64 * j)) : load_tail(values, 0, width, CK_F32);
        if (is_half) first[j] = (v16)((v16u)first[j] & 0xffffu);
        if (dtype == CK_BF16 && !CK_HAS_BF16_DOT) split(&first[j], &second[j]);
    }
#pragma clang loop unroll(full)
    for (int q = 0; q < Q; q++) {
        const float *own = weights + q * SCORE_STRIDE;
#if CK_HAS_BF16_DOT
        if (dtype == CK_BF16) {
            uint32_t both = *(const uint32_any *)own;
#pragma clang loop unroll(full)
            for (int j = 0; j < D; j++) acc[q * D + j] = dot_bf16(acc[q * D + j], (v16u)first[j], both);
            continue;
        }
#endif
        v16 w = splat(own[0]);
#pragma clang loop unroll(full)
        for (int j = 0; j < D; j++) acc[q * D + j] = FMA(w, first[j], acc[q * D + j]);
        if (dtype == CK_F32 || is_half) continue;
        w = splat(own[1]);
#pragma clang loop unroll(full)
        for (int j = 0; j < D; j++) acc[q * D + j] = FMA(w, second[j], acc[q * D + j]);
    }
}

/// output[Q][16 D dimensions] += weights[Q][tokens] . values[tokens]: one sum per element, in the order of tokens. `width` is
/// 16, or less for the last dimensions of a head whose size is no multiple of it (D = 1).
INLINE void mix_tile(const int Q, const int D, const ck_dtype dtype, ptrdiff_t head_dim, ptrdiff_t width,
                     const char *const *groups, ptrdiff_t value_offset, ptrdiff_t begin, ptrdiff_t end,
                     const float *weights, float *const *output, ptrdiff_t dimension, int prefetch) {
    const ptrdiff_t size = (ptrdiff_t)dtype_bytes(dtype);
    v16 acc[ATTENTION_TILE * ATTENTION_GROUPS];
#pragma clang loop unroll(full)
    for (int q = 0; q < Q; q++) {
#pragma clang loop unroll(full)
        for (int j = 0; j < D; j++) {
            const float *from = output[q] + dimension + 16 * j;
            acc[q * D + j] = width == 16 ? load(from) : load_tail(from, 0, width, CK_F32);
        }
    }
    const int T = dtype == CK_F32 ? 1 : 2;  // tokens a step
    while (begin < end) {
        ptrdiff_t group = begin / CK_TOKEN_GROUP, slot = begin % CK_TOKEN_GROUP;
        const ptrdiff_t place = (slot * head_dim + dimension * T) * size;
        const char *values = groups[group] + value_offset + place;
        // Asking for what is at hand already costs nothing to speak of.
        const char *next = prefetch ? groups[group + AHEAD] + value_offset + place : values;
        ptrdiff_t count = least(CK_TOKEN_GROUP - slot, end - begin);
        for (ptrdiff_t t = 0; t < count; t += T, values += T * head_dim * size, next += T * head_dim * size) {
            const float *own = weights + (begin + t) / (T == 2 && CK_HAS_BF16_DOT ? 2 : 1);
            if (T == 2 && t + 1 == count) {
                mix_step(Q, D, dtype, 1, width, values, next, own, acc);
            } else {
                mix_step(Q, D, dtype, 0, width, values, next, own, acc);
            }
        }
        begin += count;
    }
#pragma clang loop unroll(full)
    for (int q = 0; q < Q; q++) {
#pragma clang loop unroll(full)
        for (int j = 0; j < D; j++) store_tail(output[q] + dimension + 16 * j, acc[q * D + j], width);
    }
}

/// All dimensions of Q queries, the chunk's tokens `begin` ..< `end`.
INLINE void mix_tokens(const int Q, const ck_dtype dtype, attention_state *s, const attention_chunk *c, ptrdiff_t q,
                       ptrdiff_t begin, ptrdiff_t end, int prefetch) {
    const ck_attention *a = s->a;
    const float *weights = s->scores + q * SCORE_STRIDE;
    ptrdiff_t d = 0;
#define MIX(D, WIDTH)                                                                                              \
    mix_tile(Q, D, dtype, a->head_dim, WIDTH, c->group, a->value_offset, begin, end, weights, s->output + q, d, prefetch)
    for (; d + 16 * ATTENTION_GROUPS <= a->head_dim; d += 16 * ATTENTION_GROUPS) MIX(ATTENTION_GROUPS, 16);
    for (; d + 16 <= a->head_dim; d += 16) MIX(1, 16);
    if (d < a->head_dim) MIX(1, a->head_dim - d);
#undef MIX
}

/// Adds the chunk's values to the results. Tokens that all queries of a tile see are added for all at once, in whole pairs;
/// those that only some see, query by query.
INLINE void mix_chunk(const ck_dtype dtype, attention_state *s, const attention_chunk *c) {
    for (ptrdiff_t q = 0; q < s->queries; q += ATTENTION_TILE) {
        ptrdiff_t tile = least(s->queries - q, ATTENTION_TILE);
        ptrdiff_t common = least(s->context[q] - c->first, CHUNK);
        if (dtype == CK_BF16 && tile > 1) common -= common % 2;
        if (common > 0) {
#define TILE(Q) case Q: mix_tokens(Q, dtype, s, c, q, 0, common, q == 0); break
            switch (tile) {
                TILE(1); TILE(2); TILE(3);
#if ATTENTION_TILE > 3
                TILE(4); TILE(5); TILE(6);
#endif
            }
#undef TILE
        } else {
            common = 0;
        }
        for (ptrdiff_t p = q; p < q + tile; p++) {
            ptrdiff_t own = least(s->context[p] - c->first, CHUNK);
            if (own > common) mix_tokens(1, dtype, s, c, p, common, own, 0);
        }
    }
}

// MARK: All of it

/// Queries `from` ..< `from + queries` of the run, where query number i is head i mod heads of row i / heads.
INLINE void attend(const ck_dtype dtype, const ck_attention *a, ptrdiff_t from, ptrdiff_t queries) {
    attention_state s = {.a = a, .queries = queries, .query_stride = a->head_dim, .packed = a->scratch};
    s.scores = a->scratch + CK_ATTENTION_QUERIES * s.query_stride;
    for (ptrdiff_t q = 0; q < queries; q++) {
        ptrdiff_t row = (from + q) / a->heads, head = (from + q) % a->heads;
        ptrdiff_t offset = row * a->row_stride + head * a->head_stride;
        s.context[q] = a->context + (int32_t)row;
        s.output[q] = a->output + offset;
        s.total[q] = splat(0.0f);
        float *packed = s.packed + q * s.query_stride;
        for (int32_t d = 0; d < a->head_dim; d++) {
            packed[d] = a->query[offset + d] * a->scale;
            s.output[q][d] = 0.0f;
        }
        if (CK_HAS_BF16_DOT && dtype == CK_BF16) to_bf16((uint16_t *)packed, packed, a->head_dim);
    }
    ptrdiff_t longest = s.context[queries - 1];
    for (ptrdiff_t first = 0; first < longest; first += CHUNK) {
        attention_chunk c;
        find_chunk(&c, a, first, longest, dtype_bytes(dtype));
        score_chunk(dtype, &s, &c);
        for (ptrdiff_t q = 0; q < queries; q++) exponentiate(dtype, &s, q, first);
        mix_chunk(dtype, &s, &c);
    }
    for (ptrdiff_t q = 0; q < queries; q++) {
        float scale = 1.0f / sum(s.total[q]);
        for (int32_t d = 0; d < a->head_dim; d++) s.output[q][d] *= scale;
    }
}

static void attention(const ck_attention *a) {
    ptrdiff_t queries = (ptrdiff_t)a->rows * a->heads;
    for (ptrdiff_t q = 0; q < queries; q += CK_ATTENTION_QUERIES) {
        ptrdiff_t count = least(queries - q, CK_ATTENTION_QUERIES);
        if (a->dtype == CK_F32) {
            attend(CK_F32, a, q, count);
        } else {
            attend(CK_BF16, a, q, count);
        }
    }
}
