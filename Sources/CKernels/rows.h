// Kernels that walk along one row: conversions, RMSNorm, SiLU, RoPE, writing keys and values.

static void to_float(float *y, const void *x, ck_dtype dtype, ptrdiff_t count) {
    ptrdiff_t i = 0;
    if (dtype == CK_F32) {
        memcpy(y, x, (size_t)count * sizeof(float));
        return;
    }
    if (dtype == CK_BF16) {
        for (; i + 16 <= count; i += 16) store(y + i, load_as(x, i, CK_BF16));
    } else {
        for (; i + 16 <= count; i += 16) store(y + i, load_as(x, i, CK_F16));
    }
    if (i < count) store_tail(y + i, load_tail(x, i, count - i, dtype), count - i);
}

static void to_bf16(uint16_t *y, const float *x, ptrdiff_t count) {
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) *(v16s_any *)(y + i) = bf16_from(load(x + i));
    if (i < count) {
        v16s tail = bf16_from(load_tail(x, i, count - i, CK_F32));
        memcpy(y + i, &tail, (size_t)(count - i) * 2);
    }
}

/// Groups of 32 numbers as int8, the largest of each as 127 or -127; all 0 where the largest is next to nothing.
static void to_groups(ck_group *y, const float *x, ptrdiff_t count) {
    for (ptrdiff_t g = 0; g < count / CK_GROUP; g++, x += CK_GROUP) {
        v16 a = load(x), b = load(x + 16);
        float largest = maximum(larger(larger(a, -a), larger(b, -b)));
        v16 inverse = splat(largest > 0x1p-120f ? 127 / largest : 0), shifter = splat(12582912.0f);  // 1.5 * 2^23: rounds
        v16i qa = (v16i)(FMA(a, inverse, shifter)) - (v16i)shifter, qb = (v16i)(FMA(b, inverse, shifter)) - (v16i)shifter;
        typedef int8_t v16c __attribute__((vector_size(16)));
        v16c low = __builtin_convertvector(qa, v16c), high = __builtin_convertvector(qb, v16c);
        memcpy(y[g].q, &low, 16);
        memcpy(y[g].q + 16, &high, 16);
        // 0, or not a number where one of the group is none: it stays to be seen in the result.
        y[g].scale = largest / 127 + sum((a - a) + (b - b));
        y[g].sum = __builtin_reduce_add(__builtin_convertvector(low, v16i) + __builtin_convertvector(high, v16i));
    }
}

static void prepare(void *y, ptrdiff_t ys, ck_form form, const float *x, ptrdiff_t xs, ptrdiff_t rows, ptrdiff_t width) {
    char *out = y;
    for (ptrdiff_t r = 0; r < rows; r++, out += ys, x += xs) {
        switch (form) {
            case CK_FORM_F32: memcpy(out, x, (size_t)width * sizeof(float)); break;
            case CK_FORM_BF16: to_bf16((uint16_t *)out, x, width); break;
            case CK_FORM_INT8: to_groups((ck_group *)out, x, width); break;
        }
    }
}

static void exponential(float *y, const float *x, ptrdiff_t count) {
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) store(y + i, exponential_of(load(x + i)));
    if (i < count) store_tail(y + i, exponential_of(load_tail(x, i, count - i, CK_F32)), count - i);
}

static void rms_norm(float *y, const float *x, ptrdiff_t stride, ptrdiff_t rows, const float *weight, ptrdiff_t width,
                     float epsilon) {
    for (ptrdiff_t r = 0; r < rows; r++, x += stride, y += stride) {
        v16 squares = splat(0.0f);
        ptrdiff_t i = 0;
        for (; i + 16 <= width; i += 16) {
            v16 v = load(x + i);
            squares = FMA(v, v, squares);
        }
        if (i < width) {
            v16 v = load_tail(x, i, width - i, CK_F32);
            squares = FMA(v, v, squares);
        }
        v16 scale = splat(1.0f / __builtin_sqrtf(sum(squares) / (float)width + epsilon));
        for (i = 0; i + 16 <= width; i += 16) store(y + i, load(x + i) * scale * load(weight + i));
        if (i < width) {
            v16 v = load_tail(x, i, width - i, CK_F32) * scale * load_tail(weight, i, width - i, CK_F32);
            store_tail(y + i, v, width - i);
        }
    }
}

INLINE v16 silu(v16 x) {
    return x / (splat(1.0f) + exponential_of(-x));
}

static void silu_multiply(float *gate, const float *up, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t r = 0; r < rows; r++, gate += stride, up += stride) {
        ptrdiff_t i = 0;
        for (; i + 16 <= width; i += 16) store(gate + i, silu(load(gate + i)) * load(up + i));
        if (i < width) {
            v16 v = silu(load_tail(gate, i, width - i, CK_F32)) * load_tail(up, i, width - i, CK_F32);
            store_tail(gate + i, v, width - i);
        }
    }
}

static void rope(float *x, ptrdiff_t heads, ptrdiff_t head_dim, const float *cosine, const float *sine) {
    ptrdiff_t half = head_dim / 2;
    for (ptrdiff_t h = 0; h < heads; h++, x += head_dim) {
        float *low = x, *high = x + half;
        ptrdiff_t i = 0;
        for (; i + 16 <= half; i += 16) {
            v16 a = load(low + i), b = load(high + i), c = load(cosine + i), s = load(sine + i);
            store(low + i, FMA(a, c, -(b * s)));
            store(high + i, FMA(b, c, a * s));
        }
        for (; i < half; i++) {
            float a = low[i], b = high[i];
            low[i] = a * cosine[i] - b * sine[i];
            high[i] = b * cosine[i] + a * sine[i];
        }
    }
}

static void store_kv(char *key, char *value, ck_dtype dtype, ptrdiff_t slot, const float *k, const float *v,
                     ptrdiff_t head_dim) {
    ptrdiff_t group = slot / CK_TOKEN_GROUP, lane = slot % CK_TOKEN_GROUP;
    if (dtype == CK_F32) {
        float *keys = (float *)key + group * CK_TOKEN_GROUP * head_dim + lane;  // [group][head_dim][16]
        for (ptrdiff_t d = 0; d < head_dim; d++) keys[d * CK_TOKEN_GROUP] = k[d];
        memcpy((float *)value + slot * head_dim, v, (size_t)head_dim * sizeof(float));
        return;
    }
    uint32_any *keys = (uint32_any *)key + group * CK_TOKEN_GROUP * head_dim / 2 + lane;  // [group][head_dim / 2][16][2]
    uint16_any *values = (uint16_any *)value + slot / 2 * 2 * head_dim + slot % 2;        // [block_tokens / 2][head_dim][2]
    for (ptrdiff_t d = 0; d < head_dim; d += 16) {
        ptrdiff_t count = head_dim - d < 16 ? head_dim - d : 16;
        uint16_t rounded[16];
        to_bf16(rounded, k + d, count);
        for (ptrdiff_t j = 0; j < count; j += 2) {
            keys[(d + j) / 2 * CK_TOKEN_GROUP] = rounded[j] | (uint32_t)rounded[j + 1] << 16;
        }
        to_bf16(rounded, v + d, count);
        for (ptrdiff_t j = 0; j < count; j++) values[2 * (d + j)] = rounded[j];
    }
}
