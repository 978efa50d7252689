// Tells the thread sanitizer what orders threads where the standard library's Mutex is contended.
//
// Mutex's fast paths are compiled into our own code, so the sanitizer sees their atomics. Its slow paths are in
// libswiftSynchronization.so, which is not instrumented, and there it is the kernel that changes the lock word
// (FUTEX_LOCK_PI, FUTEX_UNLOCK_PI). Without these edges every state behind a contended Mutex is reported as a race. They
// are stated here instead of suppressing reports: what a Mutex does not order is still found.
//
// To be preloaded: the two symbols stand before the library's own.

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Of the sanitizer's run time, in the program; absent in programs that are not built with it.
extern __attribute__((weak)) void __tsan_acquire(void *address);
extern __attribute__((weak)) void __tsan_release(void *address);

// _MutexHandle._lockSlow(_: UInt32) and _MutexHandle._unlockSlow(). The handle's only member is the lock word, so that its
// address is the one that the fast paths acquire and release.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT_METHOD __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

typedef SWIFT_METHOD void LockSlow(uint32_t thread, SELF void *handle);
typedef SWIFT_METHOD void UnlockSlow(SELF void *handle);

static LockSlow *lockSlow;
static UnlockSlow *unlockSlow;

static void *find(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        fprintf(stderr, "mutex_edges: %s has moved; look where Mutex waits in this toolchain\n", name);
        abort();
    }
    return found;
}

SWIFT_METHOD void edgesLockSlow(uint32_t thread, SELF void *handle) __asm__(LOCK_SLOW);
SWIFT_METHOD void edgesLockSlow(uint32_t thread, SELF void *handle) {
    if (lockSlow == NULL) lockSlow = (LockSlow *)find(LOCK_SLOW);
    lockSlow(thread, handle);
    if (__tsan_acquire != NULL) __tsan_acquire(handle);
}

SWIFT_METHOD void edgesUnlockSlow(SELF void *handle) __asm__(UNLOCK_SLOW);
SWIFT_METHOD void edgesUnlockSlow(SELF void *handle) {
    if (unlockSlow == NULL) unlockSlow = (UnlockSlow *)find(UNLOCK_SLOW);
    if (__tsan_release != NULL) __tsan_release(handle);
    unlockSlow(handle);
}
