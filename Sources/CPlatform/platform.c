#define _GNU_SOURCE
#include "CPlatform.h"
#include <grp.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

int drover_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void drover_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}

int drover_eventfd(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int drover_timerfd(void) {
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

void drover_set_timer(int timer, uint64_t nanoseconds) {
    const uint64_t second = 1000000000;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(nanoseconds / second), .tv_nsec = (long)(nanoseconds % second)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static const unsigned nobody = 65534;

int drover_spawn_child(char *const arguments[]) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) return child;
    if (getuid() == 0 && (setgroups(0, NULL) || setgid(nobody) || setuid(nobody))) _exit(127);
    // Behind the change of user, which would take it back: so the program must not change it either.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    execvp(arguments[0], arguments);
    _exit(127);
}

static int release_object(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size;
    (void)unused;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
        uintptr_t start = (object->dlpi_addr + part->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_filesz) & ~(page - 1);
        if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void drover_release_startup_pages(void) {
    dl_iterate_phdr(release_object, NULL);
}

void drover_release_free_memory(void) {
    malloc_trim(0);
}
