// Calls and constants of Linux that lie behind _GNU_SOURCE and that Swift's Glibc module does not show.
#ifndef CATENA_CSHIMS_H
#define CATENA_CSHIMS_H

#include "Epoll.h"

#include <stddef.h>
#include <sys/socket.h>

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC: the descriptor, or -1 with errno set.
int catena_accept(int listener, struct sockaddr *address, socklen_t *length);

/// socket(2) with SOCK_NONBLOCK and SOCK_CLOEXEC: the descriptor, or -1 with errno set.
int catena_stream_socket(int family);

/// What is known of a stream socket's other end, without reading.
enum catena_peer {
    /// Nothing was heard of its going away.
    CATENA_PEER_OPEN = 0,
    /// It will send no more; whether it still reads cannot be told.
    CATENA_PEER_SENT_END = 1,
    /// Reset, or both directions are shut: nothing that is written arrives.
    CATENA_PEER_GONE = 2,
};

/// Asks poll(2), which never blocks here, for POLLRDHUP, POLLHUP and POLLERR.
enum catena_peer catena_peer_state(int descriptor);

/// sched_getaffinity(2): how many processors this process may run on, or -1 with errno set.
int catena_affinity_count(void);

// Where threads run. A thread is named by its id; every call returns -1 where the kernel refuses.

/// The processors that a thread may run on, as sched_getaffinity(2) gives them.
struct catena_processors {
    unsigned long long words[16];
};

/// gettid(2): the calling thread.
int catena_thread(void);

/// The processor that the calling thread runs on. Costs nanoseconds.
int catena_current_processor(void);

/// Nanoseconds that a thread of this process has run so far: they stand still while it waits for a processor.
long long catena_thread_time(int thread);

/// The processors that the calling thread may run on.
int catena_allowed(struct catena_processors *allowed);

/// Lets a thread run on these processors.
int catena_allow(int thread, const struct catena_processors *allowed);

/// Lets a thread run on one processor only. The thread need not be running to move.
int catena_confine(int thread, int processor);

/// Moves the calling thread to another of its allowed processors than the given one, and then lets it run on all of them.
int catena_move_off(int processor, const struct catena_processors *allowed);

/// Bytes of the heap in use, small chunks that threads keep for themselves included: mallinfo2(3).
size_t catena_heap_in_use(void);

/// Buffers of at least so many bytes have pages of their own from now on, and give them back when they are freed. Left
/// alone, glibc raises its threshold with the first such buffer that is freed, and keeps later ones in its arenas.
void catena_keep_large_buffers_apart(int bytes);

#endif
