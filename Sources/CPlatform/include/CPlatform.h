// What Swift cannot reach by itself: GNU-only functions and macros. Nothing here makes a decision.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC; -1 and errno on error.
int drover_accept(int listener, struct sockaddr *address, socklen_t *length);

/// recv(2) and send(2), non-blocking, as bare system calls: glibc's are places where pthread_cancel may strike, and in a
/// program with threads they pay some seventy instructions a pair for it.
static inline ssize_t drover_receive(int socket, void *bytes, size_t count) {
    return syscall(SYS_recvfrom, socket, bytes, count, MSG_DONTWAIT, NULL, NULL);
}

static inline ssize_t drover_send(int socket, const void *bytes, size_t count) {
    return syscall(SYS_sendto, socket, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

/// Names the calling thread, at most 15 bytes.
void drover_name_thread(const char *name);

/// eventfd(2), non-blocking and closed on exec; -1 and errno on error.
int drover_eventfd(void);

/// Starts a program that gets SIGTERM when the calling thread ends; its process id, or -1 and errno.
/// `arguments` ends in a null pointer; the first is the program, looked for on PATH.
int drover_spawn_child(char *const arguments[]);

/// Gives back the memory of code and constants that were only needed to start: reading the config, parsing options.
/// What is needed again comes back from the page cache. Only clean, read-only file pages are touched.
void drover_release_startup_pages(void);
