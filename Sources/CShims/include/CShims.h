// Calls and constants of Linux that lie behind _GNU_SOURCE and that Swift's Glibc module does not show.
#ifndef CATENA_CSHIMS_H
#define CATENA_CSHIMS_H

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

#endif
