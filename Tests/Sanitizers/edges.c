// Tells the thread sanitizer what orders threads where libraries do it that are not built with the sanitizer: the standard
// library's Mutex where it is contended, and reference counts.
//
// Mutex's fast paths are compiled into our own code, so the sanitizer sees their atomics. Its slow paths are in
// libswiftSynchronization.so, and there it is the kernel that changes the lock word (FUTEX_LOCK_PI, FUTEX_UNLOCK_PI).
// Without these edges every state behind a contended Mutex is reported as a race.
//
// An array or a dictionary is copied when it is written to while others hold it. Who has let go of it has read it before
// whoever finds to be the only holder writes; the order is in the count, which libswiftCore.so changes. Optimised code
// reads the elements itself, so without these edges each array that one thread hands to another is reported. The same is
// true of a deinit, which comes after everybody else let go.
//
// The edges are stated here instead of suppressing reports: what neither a Mutex nor a count orders is still found.
//
// To be preloaded: the symbols stand before the libraries' own.

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Of the sanitizer's run time, in the program; absent in programs that are not built with it.
extern __attribute__((weak)) void __tsan_acquire(void *address);
extern __attribute__((weak)) void __tsan_release(void *address);

static void acquireEdge(void *address) {
    if (__tsan_acquire != NULL) __tsan_acquire(address);
}

static void releaseEdge(void *address) {
    if (__tsan_release != NULL) __tsan_release(address);
}

static void *find(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        fprintf(stderr, "edges: %s has moved; look where it went in this toolchain\n", name);
        abort();
    }
    return found;
}

// MARK: Mutex

// _MutexHandle._lockSlow(_: UInt32) and _MutexHandle._unlockSlow(). The handle's only member is the lock word, so that its
// address is the one that the fast paths acquire and release.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT_METHOD __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

typedef SWIFT_METHOD void LockSlow(uint32_t thread, SELF void *handle);
typedef SWIFT_METHOD void UnlockSlow(SELF void *handle);

SWIFT_METHOD void edgesLockSlow(uint32_t thread, SELF void *handle) __asm__(LOCK_SLOW);
SWIFT_METHOD void edgesLockSlow(uint32_t thread, SELF void *handle) {
    static LockSlow *lockSlow;
    if (lockSlow == NULL) lockSlow = (LockSlow *)find(LOCK_SLOW);
    lockSlow(thread, handle);
    acquireEdge(handle);
}

SWIFT_METHOD void edgesUnlockSlow(SELF void *handle) __asm__(UNLOCK_SLOW);
SWIFT_METHOD void edgesUnlockSlow(SELF void *handle) {
    static UnlockSlow *unlockSlow;
    if (unlockSlow == NULL) unlockSlow = (UnlockSlow *)find(UNLOCK_SLOW);
    releaseEdge(handle);
    unlockSlow(handle);
}

// MARK: Reference counts (swift/stdlib/public/runtime/HeapObject.cpp)
//
// What libswiftCore.so itself lets go of is not seen here. Its own hooks for that
// (_swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly) take short strings for objects on Linux.

typedef bool IsUnique(void *object);
typedef void Release(void *object);
typedef void ReleaseMany(void *object, uint32_t count);

static bool isUnique(void *object) {
    static IsUnique *known;
    if (known == NULL) known = (IsUnique *)find("swift_isUniquelyReferenced_nonNull_native");
    return known(object);
}

// Whoever asks may write afterwards.
bool swift_isUniquelyReferenced_nonNull_native(void *object) {
    bool unique = isUnique(object);
    if (unique) acquireEdge(object);
    return unique;
}

static void letGo(void *object) {
    // Nil and what is no pointer at all are no objects, and the runtime does nothing about them.
    if ((intptr_t)object <= 0) return;
    // The last holder runs the deinit.
    if (isUnique(object)) acquireEdge(object);
    releaseEdge(object);
}

void swift_release(void *object) {
    static Release *release;
    if (release == NULL) release = (Release *)find("swift_release");
    letGo(object);
    release(object);
}

void swift_release_n(void *object, uint32_t count) {
    static ReleaseMany *release;
    if (release == NULL) release = (ReleaseMany *)find("swift_release_n");
    letGo(object);
    release(object, count);
}

// Strings, dictionaries and sets have bits of their own in the pointer; the runtime takes them off with this mask.
static void *plainObject(void *object) { return (void *)((uintptr_t)object & 0x80fffffffffffff9); }

void swift_bridgeObjectRelease(void *object) {
    static Release *release;
    if (release == NULL) release = (Release *)find("swift_bridgeObjectRelease");
    letGo(plainObject(object));
    release(object);
}

void swift_bridgeObjectRelease_n(void *object, uint32_t count) {
    static ReleaseMany *release;
    if (release == NULL) release = (ReleaseMany *)find("swift_bridgeObjectRelease_n");
    letGo(plainObject(object));
    release(object, count);
}
