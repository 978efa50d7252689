// y = x W^T over packed weights: register tiles of R rows x H half panels.
//
// A lane is an output, so nothing is summed across lanes and an output's sum runs over the inputs in one order, by one
// accumulator, whatever tile it is computed in: that is what makes a row's bits its own. A tile has enough accumulators to
// hide the latency of the multiply-add; weights are loaded once for all rows of a tile, an activation once for its halves.
//
// A panel is one run of memory, which the processor foresees by itself while it works little on each line: asking ahead, or
// walking two panels side by side, made decoding one row from memory slower. The more it works on a line (several rows, int4),
// the fewer lines are on their way, and it would wait for memory and work by turns; so then lines are asked for ahead, at the
// pace at which they are used up. On Zen 5, one thread, weights in memory, 8 rows: bf16 31 -> 57 GB/s, int8 24 -> 40, int4
// 13 -> 28; one row of int4 36 -> 45.
//
// The including file says what its registers hold: TILE_ROWS x TILE_HALVES accumulators, BF16_TILE_ROWS beside widened weights,
// INTEGER_TILE_ROWS where a second set of accumulators sums integers; and how often an integer tile's loop is unrolled.

enum { HALF = CK_PANEL / 2, MAX_TILE = 24, LINE = 64, LINES_PER_STEP = CK_PANEL * 4 / LINE };

/// What is asked for while a tile works: for each line of weights that it uses, the next stretch of what comes after.
typedef struct {
    const char *next;
    ptrdiff_t pace;  ///< bytes for each line used: a line or, where several tiles use the same weights, a tile's share
} ahead;

/// How far ahead a single tile asks: a row of int4, and several rows.
enum { AHEAD_ONE_ROW = 4096, AHEAD_ROWS = 16384 };

/// Whether a tile of R rows works so long on a line that it asks. VNNI is done with a line of int8 sooner than the line comes,
/// for two rows too.
INLINE int asks_ahead(const int R, const ck_format format) {
    return format == CK_PANEL_INT4 || (format == CK_PANEL_INT8 && !CK_HAS_VNNI) || R > (format == CK_PANEL_INT8 ? 2 : 1);
}

/// `is_far`: what comes is used only after much else, and goes into the second cache.
INLINE void ask(ahead *coming, const int is_far, const int lines) {
#pragma clang loop unroll(full)
    for (int line = 0; line < lines; line++, coming->next += coming->pace) {
        if (is_far) {
            __builtin_prefetch(coming->next, 0, 2);
        } else {
            __builtin_prefetch(coming->next, 0, 3);
        }
    }
}

/// Where half panel `h` (0 or 1) has its `bytes` of one step.
INLINE const char *half(const char *w, int h, ptrdiff_t bytes) {
    return w + h * bytes;
}

/// Adds to `y`, or writes, what a tile has summed. The last panel's padding is not written.
INLINE void put(const int R, const int H, const v16 *acc, float *y, ptrdiff_t ys, ptrdiff_t outputs, int accumulate) {
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++) {
#pragma clang loop unroll(full)
        for (int h = 0; h < H; h++) {
            float *out = y + r * ys + h * HALF;
            ptrdiff_t count = outputs - h * HALF;
            v16 value = acc[r * H + h];
            if (count >= HALF) {
                store(out, accumulate ? load(out) + value : value);
            } else if (count > 0) {
                store_tail(out, accumulate ? load_tail(out, 0, count, CK_F32) + value : value, count);
            }
        }
    }
}

/// f32 activations.
INLINE void tile_f32(const int R, const int S, const int H, const ck_format format, float *y, ptrdiff_t ys, const char *x, ptrdiff_t xs,
                     const char *w, ptrdiff_t n, ptrdiff_t outputs, int accumulate, const int is_far, ahead coming) {
    v16 acc[MAX_TILE];
#pragma clang loop unroll(full)
    for (int a = 0; a < R * H; a++) acc[a] = splat(0.0f);
    if (format == CK_PANEL_BF16) {
        // Two inputs in a 32-bit lane: the first in its low half.
        for (ptrdiff_t i = 0; i < n; i += 2, w += 2 * CK_PANEL * 2) {
            if (asks_ahead(R, format)) ask(&coming, is_far, LINES_PER_STEP);
            v16u pairs[2];
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) {
                pairs[h] = *(const v16u_any *)half(w, S + h, HALF * 4);
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < R; r++) {
                v16 a = splat(((const float_any *)(x + r * xs))[i]);
#pragma clang loop unroll(full)
                for (int h = 0; h < H; h++) acc[r * H + h] = FMA(a, (v16)(pairs[h] << 16), acc[r * H + h]);
            }
            if (i + 1 == n) break;
#pragma clang loop unroll(full)
            for (int r = 0; r < R; r++) {
                v16 a = splat(((const float_any *)(x + r * xs))[i + 1]);
#pragma clang loop unroll(full)
                for (int h = 0; h < H; h++) acc[r * H + h] = FMA(a, (v16)(pairs[h] & 0xffff0000u), acc[r * H + h]);
            }
        }
    } else {
        const ck_dtype dtype = format == CK_PANEL_F32 ? CK_F32 : CK_F16;
        const ptrdiff_t bytes = HALF * (ptrdiff_t)dtype_bytes(dtype);
        for (ptrdiff_t i = 0; i < n; i++, w += 2 * bytes) {
            if (asks_ahead(R, format)) ask(&coming, is_far, (int)(2 * bytes / LINE));
            v16 weight[2];
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) {
                weight[h] = load_as(half(w, S + h, bytes), 0, dtype);
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < R; r++) {
                v16 a = splat(((const float_any *)(x + r * xs))[i]);
#pragma clang loop unroll(full)
                for (int h = 0; h < H; h++) acc[r * H + h] = FMA(a, weight[h], acc[r * H + h]);
            }
        }
    }
    put(R, H, acc, y, ys, outputs, accumulate);
}

#if CK_HAS_BF16_DOT
/// bf16 activations: a lane multiplies two inputs at once.
INLINE void tile_bf16(const int R, const int S, const int H, float *y, ptrdiff_t ys, const char *x, ptrdiff_t xs, const char *w,
                      ptrdiff_t n, ptrdiff_t outputs, int accumulate, const int is_far, ahead coming) {
    v16 acc[MAX_TILE];
#pragma clang loop unroll(full)
    for (int a = 0; a < R * H; a++) acc[a] = splat(0.0f);
    ptrdiff_t pairs = n / 2;
    for (ptrdiff_t i = 0; i < pairs; i++, w += CK_PANEL * 4) {
        if (asks_ahead(R, CK_PANEL_BF16)) ask(&coming, is_far, LINES_PER_STEP);
        v16u weight[2];
#pragma clang loop unroll(full)
        for (int h = 0; h < H; h++) {
            weight[h] = *(const v16u_any *)half(w, S + h, HALF * 4);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
            uint32_t pair = ((const uint32_any *)(x + r * xs))[i];
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) acc[r * H + h] = dot_bf16(acc[r * H + h], weight[h], pair);
        }
    }
    if (n % 2) {  // the pair's second weight is padding
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
            uint32_t pair = ((const uint16_any *)(x + r * xs))[n - 1];
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) {
                v16u weight = *(const v16u_any *)half(w, S + h, HALF * 4);
                acc[r * H + h] = dot_bf16(acc[r * H + h], weight, pair);
            }
        }
    }
    put(R, H, acc, y, ys, outputs, accumulate);
}
#endif

/// Quantised activations and weights: exact integer sums in a group of inputs, then one f32 multiply-add a group.
INLINE void tile_int(const int R, const int S, const int H, const ck_format format, float *y, ptrdiff_t ys, const char *x, ptrdiff_t xs,
                     const char *w, ptrdiff_t n, ptrdiff_t outputs, int accumulate, const int is_far, ahead coming) {
    v16 acc[MAX_TILE];
#pragma clang loop unroll(full)
    for (int a = 0; a < R * H; a++) acc[a] = splat(0.0f);
    const ptrdiff_t scale_bytes = CK_PANEL * 2;
    const ptrdiff_t group_bytes = scale_bytes + CK_GROUP * CK_PANEL / (format == CK_PANEL_INT8 ? 1 : 2);
    for (ptrdiff_t g = 0; g < n / CK_GROUP; g++, w += group_bytes, x += sizeof(ck_group)) {
        if (asks_ahead(R, format)) ask(&coming, is_far, 1);
        v16i sum[MAX_TILE];
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
            v16i start = start_of(format, ((const ck_group *)(x + r * xs))->sum);
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) sum[r * H + h] = start;
        }
        const char *data = w + scale_bytes;
#pragma clang loop unroll_count(INTEGER_UNROLL)
        for (int q = 0; q < (format == CK_PANEL_INT8 ? 8 : 4); q++, data += CK_PANEL * 4) {
            if (asks_ahead(R, format)) ask(&coming, is_far, LINES_PER_STEP);
            v16u weight[2];
#pragma clang loop unroll(full)
            for (int h = 0; h < H; h++) {
                weight[h] = *(const v16u_any *)half(data, S + h, HALF * 4);
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < R; r++) {
                const uint32_any *four = (const uint32_any *)((const ck_group *)(x + r * xs))->q;
#pragma clang loop unroll(full)
                for (int h = 0; h < H; h++) {
                    if (format == CK_PANEL_INT8) {
                        sum[r * H + h] = dot_int8(sum[r * H + h], weight[h], four[q]);
                    } else {
                        sum[r * H + h] = dot_int4(sum[r * H + h], weight[h] & 0x0f0f0f0fu, four[2 * q]);
                        sum[r * H + h] = dot_int4(sum[r * H + h], (weight[h] >> 4) & 0x0f0f0f0fu, four[2 * q + 1]);
                    }
                }
            }
        }
#pragma clang loop unroll(full)
        for (int h = 0; h < H; h++) {
            v16 scale = load_as(half(w, S + h, HALF * 2), 0, CK_F16);
#pragma clang loop unroll(full)
            for (int r = 0; r < R; r++) {
                v16 both = scale * splat(((const ck_group *)(x + r * xs))->scale);
                acc[r * H + h] = FMA(__builtin_convertvector(sum[r * H + h], v16), both, acc[r * H + h]);
            }
        }
    }
    put(R, H, acc, y, ys, outputs, accumulate);
}

INLINE void tile(const int R, const int S, const int H, const ck_format format, float *y, ptrdiff_t ys, const char *x, ptrdiff_t xs,
                 const char *w, ptrdiff_t n, ptrdiff_t outputs, int accumulate, const int is_far, ahead coming) {
#if CK_HAS_BF16_DOT
    if (format == CK_PANEL_BF16) {
        tile_bf16(R, S, H, y, ys, x, xs, w, n, outputs, accumulate, is_far, coming);
        return;
    }
#endif
    if (format == CK_PANEL_INT8 || format == CK_PANEL_INT4) {
        tile_int(R, S, H, format, y, ys, x, xs, w, n, outputs, accumulate, is_far, coming);
    } else {
        tile_f32(R, S, H, format, y, ys, x, xs, w, n, outputs, accumulate, is_far, coming);
    }
}

/// All rows by one panel or, S and H saying which, a half of it.
INLINE void stripe(const int T, const int S, const int H, const ck_format format, float *y, ptrdiff_t ys, const char *x,
                   ptrdiff_t xs, ptrdiff_t rows, const char *w, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    // Tiles of about one size: 4 + 4 rows, not 6 + 2, as a short tile waits for its own sums.
    ptrdiff_t tiles = (rows + T - 1) / T, even = (rows + tiles - 1) / tiles;
    // Where a panel is gone through several times, each time asks for its share of the next one; once, for what comes soon.
    const ptrdiff_t times = tiles * (2 / H), share = (ptrdiff_t)ck_panel_bytes(format, n) / times;
    const ptrdiff_t distance = times > 1 ? share * (times + S * tiles) : rows > 1 ? AHEAD_ROWS : AHEAD_ONE_ROW;
    // More than 64 tiles have a pace of 0: a prompt works so long on a panel that the next one is no matter.
    ahead coming = {w + distance, LINE / times};
    for (ptrdiff_t step = even; rows > 0; rows -= step, y += step * ys, x += step * xs, coming.next += share) {
        if (rows < step) step = rows;
#define ROWS(R)                                                                                        \
    case R:                                                                                            \
        if (R > T) break;                                                                              \
        if (times > 1) {                                                                               \
            tile(R, S, H, format, y, ys, x, xs, w, n, outputs, accumulate, 1, coming);                 \
        } else {                                                                                       \
            tile(R, S, H, format, y, ys, x, xs, w, n, outputs, accumulate, 0, coming);                 \
        }                                                                                              \
        break
        switch (step) {
            ROWS(1); ROWS(2); ROWS(3); ROWS(4); ROWS(5); ROWS(6); ROWS(7); ROWS(8); ROWS(9); ROWS(10); ROWS(11); ROWS(12);
        }
#undef ROWS
    }
}

INLINE void linear_as(const ck_format format, float *y, ptrdiff_t ys, const char *x, ptrdiff_t xs, ptrdiff_t rows,
                      const char *w, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    const int T = format == CK_PANEL_INT8 || format == CK_PANEL_INT4 ? INTEGER_TILE_ROWS
        : format == CK_PANEL_BF16                                    ? BF16_TILE_ROWS
                                                                     : TILE_ROWS;
    const ptrdiff_t panel = (ptrdiff_t)ck_panel_bytes(format, n);
    if (rows == 0) return;
    for (ptrdiff_t o = 0; o < outputs; o += CK_PANEL, w += panel) {
        ptrdiff_t rest = outputs - o;
        if (TILE_HALVES == 2) {
            stripe(T, 0, 2, format, y + o, ys, x, xs, rows, w, n, rest, accumulate);
        } else if (rows == 1) {
            stripe(1, 0, 2, format, y + o, ys, x, xs, rows, w, n, rest, accumulate);
        } else {
            stripe(T, 0, 1, format, y + o, ys, x, xs, rows, w, n, rest, accumulate);
            stripe(T, 1, 1, format, y + o + HALF, ys, x, xs, rows, w, n, rest - HALF, accumulate);
        }
    }
}

// A function a format, so that each is compiled for itself.
#define LINEAR_AS(name, format)                                                                                         \
    static void linear_##name(float *y, ptrdiff_t ys, const char *x, ptrdiff_t xs, ptrdiff_t rows, const char *w,       \
                              ptrdiff_t n, ptrdiff_t outputs, int accumulate) {                                         \
        linear_as(format, y, ys, x, xs, rows, w, n, outputs, accumulate);                                               \
    }
LINEAR_AS(f32, CK_PANEL_F32)
LINEAR_AS(f16, CK_PANEL_F16)
LINEAR_AS(bf16, CK_PANEL_BF16)
LINEAR_AS(int8, CK_PANEL_INT8)
LINEAR_AS(int4, CK_PANEL_INT4)
#undef LINEAR_AS

static void linear(float *y, ptrdiff_t ys, const void *x, ptrdiff_t xs, ptrdiff_t rows, const void *w, ck_format format,
                   ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    switch (format) {
        case CK_PANEL_F32: linear_f32(y, ys, x, xs, rows, w, n, outputs, accumulate); break;
        case CK_PANEL_F16: linear_f16(y, ys, x, xs, rows, w, n, outputs, accumulate); break;
        case CK_PANEL_BF16: linear_bf16(y, ys, x, xs, rows, w, n, outputs, accumulate); break;
        case CK_PANEL_INT8: linear_int8(y, ys, x, xs, rows, w, n, outputs, accumulate); break;
        case CK_PANEL_INT4: linear_int4(y, ys, x, xs, rows, w, n, outputs, accumulate); break;
    }
}
