// Weights into panels: done once, when a model is loaded or quantised, so plain loops do.

#include "CKernels.h"
#include "half.h"
#include <math.h>
#include <string.h>

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

static float rounded(float value, float low, float high) {
    float r = rintf(value);
    return r < low ? low : r > high ? high : r;
}

static quantised quantise_int8(const float *w) {
    float largest = 0;
    for (int i = 0; i < CK_GROUP; i++) largest = fmaxf(largest, fabsf(w[i]));
    quantised group = {.scale = ck_f16_from_float(largest / 127)};
    float scale = float_from_f16(group.scale), inverse = scale > 0 ? 1 / scale : 0;
    for (int i = 0; i < CK_GROUP; i++) group.q[i] = (uint8_t)(rounded(w[i] * inverse, -127, 127) + 128);
    return group;
}

/// Of a few scales around the one that reaches the largest number, the one with the least squared error: the eight steps
/// below zero reach further than the seven above, and a rare large number may be worth cutting.
static quantised quantise_int4(const float *w) {
    float extreme = 0;
    for (int i = 0; i < CK_GROUP; i++) {
        if (fabsf(w[i]) > fabsf(extreme)) extreme = w[i];
    }
    quantised best = {.scale = 0};
    memset(best.q, 8, sizeof best.q);
    float least = INFINITY;
    for (int candidate = 0; candidate < 16; candidate++) {
        uint16_t bits = ck_f16_from_float(extreme / (-6.0f - 0.25f * (float)candidate));
        float scale = float_from_f16(bits);
        if (scale == 0) continue;
        float error = 0, inverse = 1 / scale;
        for (int i = 0; i < CK_GROUP; i++) {
            float off = rounded(w[i] * inverse, -8, 7) * scale - w[i];
            error += off * off;
        }
        if (error < least) {
            least = error;
            best.scale = bits;
            for (int i = 0; i < CK_GROUP; i++) best.q[i] = (uint8_t)(rounded(w[i] * inverse, -8, 7) + 8);
        }
    }
    return best;
}

static void pack_integers(char *panel, ck_format format, const void *w, ck_dtype dtype, ptrdiff_t outputs,
                          ptrdiff_t inputs) {
    const int isInt8 = format == CK_PANEL_INT8;
    memset(panel, 0, ck_panel_bytes(format, inputs));
    for (ptrdiff_t first = 0; first < inputs; first += CK_GROUP) {
        uint16_t *scales = (uint16_t *)panel;
        uint8_t *data = (uint8_t *)panel + CK_PANEL * 2;
        for (ptrdiff_t o = 0; o < outputs; o++) {
            float row[CK_GROUP];
            for (int i = 0; i < CK_GROUP; i++) row[i] = float_of(w, dtype, o * inputs + first + i);
            quantised group = isInt8 ? quantise_int8(row) : quantise_int4(row);
            scales[o] = group.scale;
            for (int i = 0; i < CK_GROUP; i++) {
                if (isInt8) {
                    data[(i / 4 * CK_PANEL + o) * 4 + i % 4] = group.q[i];
                } else {
                    data[(i / 8 * CK_PANEL + o) * 4 + i % 4] |= (uint8_t)(group.q[i] << (i % 8 / 4 * 4));
                }
            }
        }
        panel += ck_panel_bytes(format, CK_GROUP);
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

void ck_unpack_row(float *y, const void *panels, ck_format format, ptrdiff_t inputs, ptrdiff_t output) {
    const char *panel = (const char *)panels + output / CK_PANEL * (ptrdiff_t)ck_panel_bytes(format, inputs);
    const ptrdiff_t o = output % CK_PANEL;
    const ptrdiff_t group_bytes = (ptrdiff_t)ck_panel_bytes(format, CK_GROUP);
    for (ptrdiff_t i = 0; i < inputs; i++) {
        switch (format) {
            case CK_PANEL_F32: y[i] = float_of(panel, CK_F32, i * CK_PANEL + o); break;
            case CK_PANEL_F16: y[i] = float_of(panel, CK_F16, i * CK_PANEL + o); break;
            case CK_PANEL_BF16: y[i] = float_of(panel, CK_BF16, i / 2 * 2 * CK_PANEL + 2 * o + i % 2); break;
            case CK_PANEL_INT8:
            case CK_PANEL_INT4: {
                const char *group = panel + i / CK_GROUP * group_bytes;
                const uint8_t *data = (const uint8_t *)group + CK_PANEL * 2;
                ptrdiff_t k = i % CK_GROUP;
                int q = format == CK_PANEL_INT8 ? data[(k / 4 * CK_PANEL + o) * 4 + k % 4] - 128
                                                : (data[(k / 8 * CK_PANEL + o) * 4 + k % 4] >> (k % 8 / 4 * 4) & 15) - 8;
                y[i] = (float)q * float_of(group, CK_F16, o);
                break;
            }
        }
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
