// What this processor can do at its best: loops that read memory, and loops that only multiply and add.
//
// `catena bench` holds every figure against these, so each loop must be the fastest there is for its work: the limit that
// is measured too low makes everything else look good.

#ifndef CATENA_CLIMITS_H
#define CATENA_CLIMITS_H

#include <stddef.h>
#include <stdint.h>

/// Ways to read: one stream, four streams. Which is faster depends on the processor.
enum { CL_READERS = 2 };

/// Reads `bytes` bytes once, in way `reader` (0 ..< CL_READERS).
///
/// `start` lies on a cache line, and `bytes` is a multiple of CL_READ_UNIT. Returns something made of all bytes, so that no
/// read can be left out.
uint64_t cl_read(int reader, const void *start, size_t bytes);

enum { CL_READ_UNIT = 1024 };

/// A dot product's kind, by the numbers that it multiplies.
typedef enum cl_dot_kind {
    /// f32 x f32 + f32, fused.
    CL_DOT_F32 = 0,
    /// Pairs of bf16 x bf16 + f32: vdpbf16ps.
    CL_DOT_BF16 = 1,
    /// Fours of u8 x i8 + i32: vpdpbusd.
    CL_DOT_I8 = 2,
} cl_dot_kind;

/// Whether this processor has an instruction for it (that this file knows).
int cl_has_dot(cl_dot_kind kind);

/// Does `rounds` rounds of independent multiply-adds on registers and adds the result to `sink`.
/// Returns how many multiplications and additions these were, 0 without an instruction for them.
double cl_dot(cl_dot_kind kind, size_t rounds, float *sink);

/// Starts a process that does nothing but keep a processor busy, until it is stopped or this process ends.
/// Returns its process ID, or -1 with errno set.
int cl_start_spinner(void);

/// Ends it.
void cl_stop_spinner(int process);

#endif
