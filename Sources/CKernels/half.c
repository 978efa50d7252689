// Rounding to 16-bit floating point, one number at a time; half.h has the way back.

#include "CKernels.h"
#include <string.h>

uint16_t ck_f16_from_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return sign | 0x7e00;    // NaN
    if (bits >= 0x477ff000) return sign | 0x7c00;   // rounds to 65536 or more
    if (bits < 0x38800000) {                        // subnormal: let the adder of 0.5's grid round
        float magnitude;
        memcpy(&magnitude, &bits, sizeof magnitude);
        magnitude += 0.5f;
        memcpy(&bits, &magnitude, sizeof bits);
        return sign | (uint16_t)(bits - 0x3f000000);
    }
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits - 0x38000000) >> 13);
}

uint16_t ck_bf16_from_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);  // rounding could make a NaN infinite
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
