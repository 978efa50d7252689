// y = x W^T for few to many rows: register tiles of R x O elements, one 16-lane accumulator each.
//
// Enough accumulators hide the latency of the multiply-add; a weight is loaded once for all rows of a tile, an activation
// once for all outputs of it. The reduction runs along the inputs, the layout that weights have on disk, so nothing is
// packed and a mapped file is used as it lies.
//
// The including file says how many accumulators its registers hold: TILE_ROWS x TILE_OUTPUTS elements, or one row x
// SLIM_OUTPUTS, two x PAIR_OUTPUTS.

enum { MAX_TILE = 24 };

/// From this many rows on, 16-bit weights are first expanded to f32, a panel of them that fits the second-level cache:
/// expanding costs two instructions per 16 weights and tile of rows, a panel pays them once. Expanding is exact, so the
/// results are the same bits.
enum { EXPAND_ROWS = 3 * TILE_ROWS, PANEL_FLOATS = 16384 };

/// A tile reads as many short runs as it has outputs, which the processor does not foresee. So the first rows to meet the
/// weights ask for the next tile's, if a tile is small enough to wait in the first-level cache: from 7 to 10 GB/s where
/// plain reading gave 11. Longer rows of weights are streams that it does foresee.
enum { PREFETCH_BYTES = 8192 };

INLINE void linear_tile(const int R, const int O, const ck_dtype dtype, float *y, ptrdiff_t ys, const float *x,
                        ptrdiff_t xs, const char *w, ptrdiff_t ws, ptrdiff_t n, int accumulate, int prefetch) {
    v16 acc[MAX_TILE];
#pragma clang loop unroll(full)
    for (int a = 0; a < R * O; a++) acc[a] = splat(0.0f);

    ptrdiff_t i = 0;
    const int step = O * 16 * (int)dtype_bytes(dtype);
    const char *next = w + O * ws;  // the next tile's weights, which follow this one's
    for (; i + 16 <= n; i += 16) {
        if (prefetch) {
#pragma clang loop unroll(full)
            for (int line = 0; line < step; line += 64) __builtin_prefetch(next + line);
            next += step;
        }
        v16 weight[8];
#pragma clang loop unroll(full)
        for (int o = 0; o < O; o++) weight[o] = load_as(w + o * ws, i, dtype);
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
            v16 activation = load(x + r * xs + i);
#pragma clang loop unroll(full)
            for (int o = 0; o < O; o++) acc[r * O + o] = FMA(activation, weight[o], acc[r * O + o]);
        }
    }
    if (i < n) {
        v16 weight[8];
#pragma clang loop unroll(full)
        for (int o = 0; o < O; o++) weight[o] = load_tail(w + o * ws, i, n - i, dtype);
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
            v16 activation = load_tail(x + r * xs, i, n - i, CK_F32);
#pragma clang loop unroll(full)
            for (int o = 0; o < O; o++) acc[r * O + o] = FMA(activation, weight[o], acc[r * O + o]);
        }
    }

#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++) {
        float *out = y + r * ys;
#pragma clang loop unroll(full)
        for (int o = 0; o < O % 4; o++) {
            float s = sum(acc[r * O + o]);
            out[o] = accumulate ? out[o] + s : s;
        }
#pragma clang loop unroll(full)
        for (int o = O % 4; o < O; o += 4) {
            v4 s = sum4(acc[r * O + o], acc[r * O + o + 1], acc[r * O + o + 2], acc[r * O + o + 3]);
            *(v4_any *)(out + o) = accumulate ? *(v4_any *)(out + o) + s : s;
        }
    }
}

/// R rows by all outputs of the panel: O at a time, then one at a time.
INLINE void linear_stripe(const int R, const int O, const ck_dtype dtype, float *y, ptrdiff_t ys, const float *x,
                          ptrdiff_t xs, const char *w, ptrdiff_t ws, ptrdiff_t n, ptrdiff_t outputs, int accumulate,
                          int isFirst) {
    int prefetch = isFirst && O * ws <= PREFETCH_BYTES;
    ptrdiff_t o = 0;
    for (; o + O <= outputs; o += O) linear_tile(R, O, dtype, y + o, ys, x, xs, w + o * ws, ws, n, accumulate, prefetch);
    for (; o < outputs; o++) linear_tile(R, 1, dtype, y + o, ys, x, xs, w + o * ws, ws, n, accumulate, 0);
}

/// All rows by all outputs of the panel. `w` and its stride `ws` count bytes.
INLINE void linear_panel(const ck_dtype dtype, float *y, ptrdiff_t ys, const float *x, ptrdiff_t xs, ptrdiff_t rows,
                         const char *w, ptrdiff_t ws, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    ptrdiff_t r = 0;
    for (; r + TILE_ROWS <= rows; r += TILE_ROWS) {
        linear_stripe(TILE_ROWS, TILE_OUTPUTS, dtype, y + r * ys, ys, x + r * xs, xs, w, ws, n, outputs, accumulate,
                      r == 0);
    }
    y += r * ys;
    x += r * xs;
#define REST(R, O) case R: linear_stripe(R, O, dtype, y, ys, x, xs, w, ws, n, outputs, accumulate, r == 0); break
    switch (rows - r) {
        REST(1, SLIM_OUTPUTS);
        REST(2, PAIR_OUTPUTS);
#if TILE_ROWS > 3
        REST(3, TILE_OUTPUTS);
        REST(4, TILE_OUTPUTS);
        REST(5, TILE_OUTPUTS);
#endif
    }
#undef REST
}

static void linear_f32(float *y, ptrdiff_t ys, const float *x, ptrdiff_t xs, ptrdiff_t rows, const char *w,
                       ptrdiff_t ws, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    linear_panel(CK_F32, y, ys, x, xs, rows, w, ws, n, outputs, accumulate);
}

static void linear_bf16(float *y, ptrdiff_t ys, const float *x, ptrdiff_t xs, ptrdiff_t rows, const char *w,
                        ptrdiff_t ws, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    linear_panel(CK_BF16, y, ys, x, xs, rows, w, ws, n, outputs, accumulate);
}

static void linear_f16(float *y, ptrdiff_t ys, const float *x, ptrdiff_t xs, ptrdiff_t rows, const char *w,
                       ptrdiff_t ws, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    linear_panel(CK_F16, y, ys, x, xs, rows, w, ws, n, outputs, accumulate);
}

/// Many rows: panel by panel of expanded weights. Returns how many outputs it did (rows of weights too long for the panel
/// are left to the caller).
static ptrdiff_t linear_expanded(float *y, ptrdiff_t ys, const float *x, ptrdiff_t xs, ptrdiff_t rows, const char *w,
                                 ck_dtype dtype, ptrdiff_t ws, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    ptrdiff_t width = (n + 15) / 16 * 16;
    ptrdiff_t panel = PANEL_FLOATS / width / 4 * 4;
    if (panel == 0) return 0;
    float expanded[PANEL_FLOATS] __attribute__((aligned(64)));
    for (ptrdiff_t o = 0; o < outputs; o += panel) {
        ptrdiff_t count = outputs - o < panel ? outputs - o : panel;
        for (ptrdiff_t j = 0; j < count; j++) to_float(expanded + j * width, w + (o + j) * ws, dtype, n);
        linear_f32(y + o, ys, x, xs, rows, (const char *)expanded, width * 4, n, count, accumulate);
    }
    return outputs;
}

static void linear(float *y, ptrdiff_t ys, const float *x, ptrdiff_t xs, ptrdiff_t rows, const void *weights,
                   ck_dtype dtype, ptrdiff_t w_stride, ptrdiff_t n, ptrdiff_t outputs, int accumulate) {
    const char *w = weights;
    ptrdiff_t ws = w_stride * (ptrdiff_t)dtype_bytes(dtype);
    if (dtype == CK_F32) {
        linear_f32(y, ys, x, xs, rows, w, ws, n, outputs, accumulate);
        return;
    }
    if (rows >= EXPAND_ROWS && linear_expanded(y, ys, x, xs, rows, w, dtype, ws, n, outputs, accumulate)) return;
    if (dtype == CK_BF16) {
        linear_bf16(y, ys, x, xs, rows, w, ws, n, outputs, accumulate);
    } else {
        linear_f16(y, ys, x, xs, rows, w, ws, n, outputs, accumulate);
    }
}
