#define _GNU_SOURCE
#include "CShims.h"

#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int catena_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int catena_stream_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

enum catena_peer catena_peer_state(int descriptor) {
    struct pollfd request = {.fd = descriptor, .events = POLLRDHUP};
    if (poll(&request, 1, 0) <= 0) return CATENA_PEER_OPEN;
    if (request.revents & (POLLHUP | POLLERR | POLLNVAL)) return CATENA_PEER_GONE;
    return request.revents & POLLRDHUP ? CATENA_PEER_SENT_END : CATENA_PEER_OPEN;
}

int catena_affinity_count(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

int catena_thread(void) { return gettid(); }

int catena_current_processor(void) { return sched_getcpu(); }

long long catena_thread_time(int thread) {
    // What pthread_getcpuclockid(3) makes of a thread's id: a kernel interface, see CPUCLOCK_PERTHREAD_MASK.
    clockid_t clock = (clockid_t)(~(unsigned)thread << 3 | 6);
    struct timespec time;
    return clock_gettime(clock, &time) == 0 ? time.tv_sec * 1000000000LL + time.tv_nsec : -1;
}

_Static_assert(sizeof(struct catena_processors) == sizeof(cpu_set_t), "a set of processors under another name");

int catena_allowed(struct catena_processors *allowed) {
    return sched_getaffinity(0, sizeof(cpu_set_t), (cpu_set_t *)allowed);
}

int catena_allow(int thread, const struct catena_processors *allowed) {
    return sched_setaffinity(thread, sizeof(cpu_set_t), (const cpu_set_t *)allowed);
}

int catena_confine(int thread, int processor) {
    cpu_set_t set;
    if (sched_getaffinity(thread, sizeof set, &set) != 0 || !CPU_ISSET(processor, &set)) return -1;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return sched_setaffinity(thread, sizeof set, &set);
}

int catena_move_off(int processor, const struct catena_processors *allowed) {
    cpu_set_t others;
    memcpy(&others, allowed, sizeof others);
    CPU_CLR(processor, &others);
    // Where it cannot move it stays, but is let go all the same.
    if (CPU_COUNT(&others) > 0) (void)sched_setaffinity(0, sizeof others, &others);
    return catena_allow(0, allowed);
}

size_t catena_heap_in_use(void) { return mallinfo2().uordblks; }

void catena_keep_large_buffers_apart(int bytes) { (void)mallopt(M_MMAP_THRESHOLD, bytes); }
