#define _GNU_SOURCE
#include "CPlatform.h"
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

int drover_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void drover_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}

int drover_pin_thread(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

int drover_eventfd(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}
