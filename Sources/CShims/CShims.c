#define _GNU_SOURCE
#include "CShims.h"

#include <poll.h>
#include <sched.h>

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
