// What Swift cannot reach by itself: GNU-only functions and macros. Nothing here makes a decision.
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC; -1 and errno on error.
int drover_accept(int listener, struct sockaddr *address, socklen_t *length);

/// A system call of six arguments, the last two 0; the result, or the negative errno. In place: a call of glibc's
/// syscall(2) would save and move registers all around it, for twice the instructions of a read or a write.
static inline long drover_call(long number, int file, const void *bytes, size_t count, long flags) {
#if defined(__x86_64__)
    long result;
    register long fourth __asm__("r10") = flags;
    register long fifth __asm__("r8") = 0;
    register long sixth __asm__("r9") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"((long)file), "S"(bytes), "d"(count), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#else
    long result = syscall(number, file, bytes, count, flags, 0L, 0L);
    return result < 0 ? -errno : result;
#endif
}

/// recv(2) and send(2), non-blocking; the bytes, or the negative errno. Not glibc's: those are places where
/// pthread_cancel may strike, and in a program with threads they pay some seventy instructions a pair for it.
static inline ssize_t drover_receive(int socket, void *bytes, size_t count) {
    return drover_call(SYS_recvfrom, socket, bytes, count, MSG_DONTWAIT);
}

static inline ssize_t drover_send(int socket, const void *bytes, size_t count) {
    return drover_call(SYS_sendto, socket, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/// Names the calling thread, at most 15 bytes.
void drover_name_thread(const char *name);

/// eventfd(2), non-blocking and closed on exec; -1 and errno on error.
int drover_eventfd(void);

/// timerfd_create(2) on the monotonic clock, non-blocking and closed on exec; -1 and errno on error.
int drover_timerfd(void);

/// timerfd_settime(2): the file is readable from that time on, in monotonic nanoseconds; never with 0.
void drover_set_timer(int timer, uint64_t nanoseconds);

/// Starts a program that gets SIGTERM when the calling thread ends, as nobody where this is root; its process id, or -1
/// and errno.
/// `arguments` ends in a null pointer; the first is the program, looked for on PATH.
int drover_spawn_child(char *const arguments[]);

/// Gives back the memory of code and constants that were only needed to start: reading the config, parsing options.
/// What is needed again comes back from the page cache. Only clean, read-only file pages are touched.
void drover_release_startup_pages(void);

/// malloc_trim(3): what the allocator keeps of freed memory goes back to the system, whole pages in the middle of its
/// heaps too.
void drover_release_free_memory(void);
