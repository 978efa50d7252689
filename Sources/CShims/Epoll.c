#define _GNU_SOURCE
#include "Epoll.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int catena_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int catena_epoll_watch(int epoll, int descriptor, unsigned long long token, int is_new, int for_writing) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (for_writing ? EPOLLOUT : 0), .data.u64 = token};
    return epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event);
}

// Whole milliseconds, rounded up, where the kernel (before 5.11) has no finer wait.
static int wait_milliseconds(int epoll, struct epoll_event *events, long long nanoseconds) {
    long long milliseconds = (nanoseconds + 999999) / 1000000;
    return epoll_wait(epoll, events, 64, milliseconds > 1000000 ? 1000000 : (int)milliseconds);
}

static int wait_nanoseconds(int epoll, struct epoll_event *events, long long nanoseconds) {
#ifdef SYS_epoll_pwait2
    struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    int count = (int)syscall(SYS_epoll_pwait2, epoll, events, 64, &time, (void *)0, 0);
    if (count >= 0 || errno != ENOSYS) return count;
#endif
    return wait_milliseconds(epoll, events, nanoseconds);
}

int catena_epoll_wait(int epoll, struct catena_ready ready[64], long long nanoseconds) {
    struct epoll_event events[64];
    int count = wait_nanoseconds(epoll, events, nanoseconds < 0 ? 0 : nanoseconds);
    if (count < 0) return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++) {
        ready[i].token = events[i].data.u64;
        ready[i].readable = (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        ready[i].writable = (events[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    }
    return count;
}
