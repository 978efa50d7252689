// libFuzzer's entry: https://llvm.org/docs/LibFuzzer.html, "Using libFuzzer as a library". It comes with the toolchain.
#ifndef CATENA_CFUZZER_H
#define CATENA_CFUZZER_H

#include <stddef.h>
#include <stdint.h>

/// Reads libFuzzer's flags from the arguments and calls `one` with input after input.
int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*one)(const uint8_t *bytes, size_t count));

#endif
