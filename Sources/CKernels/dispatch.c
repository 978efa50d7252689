// Which kernels run: the processor's best, unless CATENA_CPU names others.

#include "CKernels.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern const ck_kernels ck_kernels_portable;
#if defined(__x86_64__)
extern const ck_kernels ck_kernels_avx512bf16;
extern const ck_kernels ck_kernels_avx512;
extern const ck_kernels ck_kernels_avx2;
#elif defined(__aarch64__)
#include <sys/auxv.h>
extern const ck_kernels ck_kernels_neondot;
extern const ck_kernels ck_kernels_neon;
enum { HWCAP_DOT_PRODUCT = 1 << 20 };  // HWCAP_ASIMDDP of the kernel's headers
#endif

const ck_kernels *ck_kernels_named(const char *name) {
#if defined(__x86_64__)
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vnni");
    int bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
    if (strcmp(name, "avx512bf16") == 0) return bf16 ? &ck_kernels_avx512bf16 : NULL;
    if (strcmp(name, "avx512") == 0) return avx512 ? &ck_kernels_avx512 : NULL;
    if (strcmp(name, "avx2") == 0) return avx2 ? &ck_kernels_avx2 : NULL;
#endif
#if defined(__aarch64__)
    if (strcmp(name, "neondot") == 0) return getauxval(AT_HWCAP) & HWCAP_DOT_PRODUCT ? &ck_kernels_neondot : NULL;
    if (strcmp(name, "neon") == 0) return &ck_kernels_neon;
#endif
    if (strcmp(name, "portable") == 0 || strcmp(name, "scalar") == 0) return &ck_kernels_portable;
    return NULL;
}

static const ck_kernels *active;

static void decide(void) {
    const char *names[] = {getenv("CATENA_CPU"), "avx512bf16", "avx512", "avx2", "neondot", "neon", "portable"};
    for (size_t i = 0; active == NULL && i < sizeof names / sizeof names[0]; i++) {
        if (names[i] != NULL) active = ck_kernels_named(names[i]);
    }
}

const ck_kernels *ck_kernels_active(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, decide);
    return active;
}
