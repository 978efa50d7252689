// epoll(7), which Swift's Glibc module does not show: thousands of sockets watched by one thread.
#ifndef CATENA_EPOLL_H
#define CATENA_EPOLL_H

/// A descriptor that is ready, by the token it is watched under.
struct catena_ready {
    unsigned long long token;
    /// Bytes, an end or an error can be read.
    int readable;
    /// Bytes can be written, or connecting has ended.
    int writable;
};

/// epoll_create1(2), closed on exec: the descriptor, or -1 with errno set.
int catena_epoll_create(void);

/// Watches a descriptor, or changes what it is watched for. Level-triggered; closing the descriptor ends it.
int catena_epoll_watch(int epoll, int descriptor, unsigned long long token, int is_new, int for_writing);

/// Waits until something is ready, for at most so many nanoseconds. Fills at most 64 of `ready`; the number of them, 0 when
/// the time is over or a signal came, or -1 with errno set.
int catena_epoll_wait(int epoll, struct catena_ready ready[64], long long nanoseconds);

#endif
