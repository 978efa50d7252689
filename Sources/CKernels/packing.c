// Weights into panels: done once, when a model is loaded or quantised, so plain loops do.
// The bytes that come out are the same on every machine: no sum is contracted or reordered.

#include "CKernels.h"
#include "half.h"
#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

size_t ck_panel_bytes(ck_format format, ptrdiff_t inputs) {
    size_t n = (size_t)inputs, groups = n / CK_GROUP;
    switch (format) {
        case CK_PANEL_F32: return n * CK_PANEL * 4;
        case CK_PANEL_F16: return n * CK_PANEL * 2;
        case CK_PANEL_BF16: return (n + 1) / 2 * 2 * CK_PANEL * 2;
        case CK_PANEL_INT8: return groups * (CK_PANEL * 2 + CK_GROUP * CK_PANEL);
        case CK_PANEL_INT4: return groups * (CK_PANEL * 2 + CK_GROUP * CK_PANEL / 2);
    }
    return 0;
}

static float float_of(const void *w, ck_dtype dtype, ptrdiff_t i) {
    uint16_t h;
    float f;
    if (dtype == CK_F32) {
        memcpy(&f, (const char *)w + i * 4, 4);
        return f;
    }
    memcpy(&h, (const char *)w + i * 2, 2);
    return dtype == CK_BF16 ? float_from_bf16(h) : float_from_f16(h);
}

// MARK: Floating point

static void pack_floats(char *panel, ck_format format, const void *w, ck_dtype dtype, ptrdiff_t outputs, ptrdiff_t inputs) {
    memset(panel, 0, ck_panel_bytes(format, inputs));
    for (ptrdiff_t o = 0; o < outputs; o++) {
        for (ptrdiff_t i = 0; i < inputs; i++) {
            ptrdiff_t place = i * CK_PANEL + o;
            float value = float_of(w, dtype, o * inputs + i);
            if (format == CK_PANEL_F32) {
                ((float *)panel)[place] = value;
            } else if (format == CK_PANEL_F16) {
                ((uint16_t *)panel)[place] = ck_f16_from_float(value);
            } else {
                ((uint16_t *)panel)[i / 2 * 2 * CK_PANEL + 2 * o + i % 2] = ck_bf16_from_float(value);
            }
        }
    }
}

/// The common case, a block of inputs at a time: reads stay in the cache, writes fill whole lines.
static void pack_bf16(uint16_t *panel, const uint16_t *w, ptrdiff_t outputs, ptrdiff_t inputs) {
    enum { BLOCK = 32 };
    for (ptrdiff_t first = 0; first < inputs; first += BLOCK) {
        ptrdiff_t end = first + BLOCK < inputs ? first + BLOCK : inputs;
        for (ptrdiff_t o = 0; o < CK_PANEL; o++) {
            const uint16_t *row = w + o * inputs;
            for (ptrdiff_t i = first; i < end; i += 2) {
                uint32_t pair = 0;
                if (o < outputs) memcpy(&pair, row + i, i + 1 < inputs ? 4 : 2);
                memcpy(panel + i * CK_PANEL + 2 * o, &pair, 4);
            }
        }
    }
}

// MARK: Integers

/// One output's group: the scale, as it is stored, and its numbers with the zero point added.
typedef struct quantised {
    uint16_t scale;
    uint8_t q[CK_GROUP];
} quantised;

/// To the nearest whole number, ties to even, and into [low, high]; a NaN gives `low`. Adding 1.5 * 2^23 leaves no bits for a
/// fraction, and unlike rintf it is one instruction for all lanes of a vector on every processor.
static float rounded(float value, float low, float high) {
    const float grid = 0x1.8p23f;
    float v = value > low ? value : low;
    v = v < high ? v : high;
    return (v + grid) - grid;
}

static quantised quantise_int8(const float *w) {
    float largest = 0;
    for (int i = 0; i < CK_GROUP; i++) largest = fabsf(w[i]) > largest ? fabsf(w[i]) : largest;
    quantised group = {.scale = ck_f16_from_float(largest / 127)};
    float scale = float_from_f16(group.scale), inverse = scale > 0 ? 1 / scale : 0;
    for (int i = 0; i < CK_GROUP; i++) group.q[i] = (uint8_t)(int)(rounded(w[i] * inverse, -127, 127) + 128);
    return group;
}

/// The squared error of a group of int4 weights. Eight sums, so that the compiler may use vectors; their order is fixed, as
/// the smaller of two errors must be the same one everywhere.
static float error_int4(const float *w, float scale) {
    enum { LANES = 8 };
    float sums[LANES] = {0}, inverse = 1 / scale;
    for (int i = 0; i < CK_GROUP; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            float off = rounded(w[i + l] * inverse, -8, 7) * scale - w[i + l];
            sums[l] += off * off;
        }
    }
    float error = 0;
    for (int l = 0; l < LANES; l++) error += sums[l];
    return error;
}

/// Of a few scales around the one that reaches the largest number, the one with the least squared error: the eight steps
/// below zero reach further than the seven above, and a rare large number may be worth cutting.
static quantised quantise_int4(const float *w) {
    float extreme = 0;
    for (int i = 0; i < CK_GROUP; i++) extreme = fabsf(w[i]) > fabsf(extreme) ? w[i] : extreme;
    uint16_t best = 0;
    float least = INFINITY;
    for (int candidate = 0; candidate < 16; candidate++) {
        uint16_t bits = ck_f16_from_float(extreme / (-6.0f - 0.25f * (float)candidate));
        float scale = float_from_f16(bits);
        if (scale == 0) continue;
        float error = error_int4(w, scale);
        if (error < least) {
            least = error;
            best = bits;
        }
    }
    quantised group = {.scale = best};
    float scale = float_from_f16(best), inverse = scale != 0 ? 1 / scale : 0;
    for (int i = 0; i < CK_GROUP; i++) group.q[i] = (uint8_t)(int)(rounded(w[i] * inverse, -8, 7) + 8);
    return group;
}

/// 32 stored numbers as f32.
static void group_floats(float *y, const void *w, ck_dtype dtype) {
    uint16_t halves[CK_GROUP];
    if (dtype == CK_F32) {
        memcpy(y, w, CK_GROUP * sizeof *y);
        return;
    }
    memcpy(halves, w, sizeof halves);
    if (dtype == CK_BF16) {
        for (int i = 0; i < CK_GROUP; i++) y[i] = float_from_bf16(halves[i]);
    } else {
        for (int i = 0; i < CK_GROUP; i++) y[i] = float_from_f16(halves[i]);
    }
}

static void pack_integers(char *panel, ck_format format, const void *w, ck_dtype dtype, ptrdiff_t outputs,
                          ptrdiff_t inputs) {
    const ptrdiff_t bytes = dtype == CK_F32 ? 4 : 2, group_bytes = (ptrdiff_t)ck_panel_bytes(format, CK_GROUP);
    memset(panel, 0, ck_panel_bytes(format, inputs));
    for (ptrdiff_t first = 0; first < inputs; first += CK_GROUP) {
        uint16_t *scales = (uint16_t *)panel;
        uint8_t *data = (uint8_t *)panel + CK_PANEL * 2;
        for (ptrdiff_t o = 0; o < outputs; o++) {
            float row[CK_GROUP];
            group_floats(row, (const char *)w + (o * inputs + first) * bytes, dtype);
            quantised group = format == CK_PANEL_INT8 ? quantise_int8(row) : quantise_int4(row);
            scales[o] = group.scale;
            if (format == CK_PANEL_INT8) {
                for (int i = 0; i < CK_GROUP; i += 4) memcpy(data + (i / 4 * CK_PANEL + o) * 4, group.q + i, 4);
                continue;
            }
            for (int i = 0; i < CK_GROUP; i += 8) {
                for (int b = 0; b < 4; b++) {
                    data[(i / 8 * CK_PANEL + o) * 4 + b] = (uint8_t)(group.q[i + b] | group.q[i + 4 + b] << 4);
                }
            }
        }
        panel += group_bytes;
    }
}

// MARK: All formats

void ck_pack(void *panels, ck_format format, const void *w, ck_dtype dtype, ptrdiff_t outputs, ptrdiff_t inputs) {
    char *panel = panels;
    const char *rows = w;
    ptrdiff_t row_bytes = inputs * (dtype == CK_F32 ? 4 : 2);
    for (ptrdiff_t o = 0; o < outputs; o += CK_PANEL) {
        ptrdiff_t count = outputs - o < CK_PANEL ? outputs - o : CK_PANEL;
        if (format == CK_PANEL_INT8 || format == CK_PANEL_INT4) {
            pack_integers(panel, format, rows, dtype, count, inputs);
        } else if (format == CK_PANEL_BF16 && dtype == CK_BF16 && (uintptr_t)rows % 2 == 0) {
            pack_bf16((uint16_t *)panel, (const uint16_t *)rows, count, inputs);
        } else {
            pack_floats(panel, format, rows, dtype, count, inputs);
        }
        panel += ck_panel_bytes(format, inputs);
        rows += count * row_bytes;
    }
}

// A row has a few bytes in every line of its panel, which come from memory: loops this short have dozens of them on their way.

static void unpack_bf16(float *y, const char *w, ptrdiff_t inputs) {
    for (ptrdiff_t i = 0; i < inputs; i++) y[i] = float_of(w + i / 2 * CK_PANEL * 4, CK_BF16, i % 2);
}

static void unpack_int8(float *y, const char *group, ptrdiff_t o, ptrdiff_t inputs) {
    for (ptrdiff_t g = 0; g < inputs; g += CK_GROUP, y += CK_GROUP, group += CK_PANEL * (2 + CK_GROUP)) {
        const float scale = float_of(group, CK_F16, o);
        const uint8_t *four = (const uint8_t *)group + CK_PANEL * 2 + o * 4;
        for (ptrdiff_t k = 0; k < CK_GROUP; k += 4, four += CK_PANEL * 4) {
            for (ptrdiff_t j = 0; j < 4; j++) y[k + j] = (float)(four[j] - 128) * scale;
        }
    }
}

static void unpack_int4(float *y, const char *group, ptrdiff_t o, ptrdiff_t inputs) {
    for (ptrdiff_t g = 0; g < inputs; g += CK_GROUP, y += CK_GROUP, group += CK_PANEL * (2 + CK_GROUP / 2)) {
        const float scale = float_of(group, CK_F16, o);
        const uint8_t *four = (const uint8_t *)group + CK_PANEL * 2 + o * 4;
        for (ptrdiff_t k = 0; k < CK_GROUP; k += 8, four += CK_PANEL * 4) {
            for (ptrdiff_t j = 0; j < 4; j++) {
                y[k + j] = (float)((four[j] & 15) - 8) * scale;
                y[k + 4 + j] = (float)((four[j] >> 4) - 8) * scale;
            }
        }
    }
}

void ck_unpack_row(float *y, const void *panels, ck_format format, ptrdiff_t inputs, ptrdiff_t output) {
    const char *panel = (const char *)panels + output / CK_PANEL * (ptrdiff_t)ck_panel_bytes(format, inputs);
    const ptrdiff_t o = output % CK_PANEL;
    switch (format) {
        case CK_PANEL_F32:
            for (ptrdiff_t i = 0; i < inputs; i++) y[i] = float_of(panel, CK_F32, i * CK_PANEL + o);
            break;
        case CK_PANEL_F16:
            for (ptrdiff_t i = 0; i < inputs; i++) y[i] = float_of(panel, CK_F16, i * CK_PANEL + o);
            break;
        case CK_PANEL_BF16: unpack_bf16(y, panel + o * 4, inputs); break;
        case CK_PANEL_INT8: unpack_int8(y, panel, o, inputs); break;
        case CK_PANEL_INT4: unpack_int4(y, panel, o, inputs); break;
    }
}

void ck_expand_panel(float *y, const void *panel, ck_format format, ptrdiff_t inputs) {
    for (ptrdiff_t i = 0; i < inputs; i++) {
        for (ptrdiff_t o = 0; o < CK_PANEL; o++) {
            float *to = y + i * CK_PANEL + o;
            switch (format) {
                case CK_PANEL_F32: *to = float_of(panel, CK_F32, i * CK_PANEL + o); break;
                case CK_PANEL_F16: *to = float_of(panel, CK_F16, i * CK_PANEL + o); break;
                case CK_PANEL_BF16: *to = float_of(panel, CK_BF16, i / 2 * 2 * CK_PANEL + 2 * o + i % 2); break;
                case CK_PANEL_INT8:
                case CK_PANEL_INT4: *to = NAN; break;  // not for products in floating point
            }
        }
    }
}
