// Another process that wants a processor, as a neighbour on a shared machine does.

#include "CLimits.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int cl_start_spinner(void) {
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child != 0) return child;
    // In the child of a process with threads: only what is safe in a signal handler.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    for (volatile unsigned long count = 0;; count++) {}
}

void cl_stop_spinner(int process) {
    if (process <= 0) return;
    kill(process, SIGKILL);
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {}
}
