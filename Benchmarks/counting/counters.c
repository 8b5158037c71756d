// Counts heap and reference-count calls of a running program: LD_PRELOAD this, with DROVER_COUNTERS naming a file of
// at least one page. Counter n of the file is a little-endian 64-bit number, in the order of `names` in gate; in the
// first half of the page are the calls of the threads that are named worker-..., in the second those of all others.
//
// The Swift runtime's entries have calling conventions of their own, so they are counted in assembly that touches
// nothing but r11, which every one of these conventions leaves to the callee, and then jumps to the real function.
// What libswiftCore calls inside itself does not come by here; what it allocates does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "written for x86-64"
#endif

enum { MALLOC, CALLOC, REALLOC, FREE, ALIGNED, SWIFT };
enum { WORKERS = 0, OTHERS = 256, PAGE = 512 };

// The file is mapped over it.
static uint64_t page[PAGE] __attribute__((aligned(PAGE * sizeof(uint64_t))));
// The thread's half of it; used by the assembly below.
__attribute__((visibility("hidden"), tls_model("initial-exec"))) __thread uint64_t *gate_counters = page + OTHERS;
__attribute__((visibility("hidden"))) void *gate_real[32];

static const char *const swift_names[] = {
    "swift_retain", "swift_release", "swift_retain_n", "swift_release_n", "swift_bridgeObjectRetain",
    "swift_bridgeObjectRelease", "swift_bridgeObjectRetain_n", "swift_bridgeObjectRelease_n", "swift_allocObject",
    "swift_slowAlloc", "swift_beginAccess", "swift_isUniquelyReferenced_nonNull_native",
};

__attribute__((visibility("hidden"))) void gate_resolve(void) {
    for (size_t index = 0; index < sizeof swift_names / sizeof *swift_names; index++)
        gate_real[index] = dlsym(RTLD_NEXT, swift_names[index]);
}

#define COUNT(n) __atomic_fetch_add(&gate_counters[n], 1, __ATOMIC_RELAXED)

#define ENTRY(name, number)                                                                                            \
    __asm__(".text\n.globl " name "\n.type " name ", @function\n" name ":\n"                                           \
            "  movq gate_counters@gottpoff(%rip), %r11\n"                                                              \
            "  movq %fs:(%r11), %r11\n"                                                                               \
            "  lock incq 8*(5+" #number ")(%r11)\n"                                                                    \
            "1: movq gate_real+8*" #number "(%rip), %r11\n"                                                            \
            "  testq %r11, %r11\n"                                                                                     \
            "  jz 2f\n"                                                                                                \
            "  jmp *%r11\n"                                                                                            \
            "2: pushq %rax\n pushq %rcx\n pushq %rdx\n pushq %rsi\n pushq %rdi\n pushq %r8\n pushq %r9\n pushq %r10\n" \
            "  pushq %rbp\n movq %rsp, %rbp\n andq $-16, %rsp\n"                                                       \
            "  call gate_resolve\n"                                                                                    \
            "  movq %rbp, %rsp\n popq %rbp\n"                                                                          \
            "  popq %r10\n popq %r9\n popq %r8\n popq %rdi\n popq %rsi\n popq %rdx\n popq %rcx\n popq %rax\n"         \
            "  jmp 1b\n"                                                                                               \
            ".size " name ", .-" name "\n")

ENTRY("swift_retain", 0);
ENTRY("swift_release", 1);
ENTRY("swift_retain_n", 2);
ENTRY("swift_release_n", 3);
ENTRY("swift_bridgeObjectRetain", 4);
ENTRY("swift_bridgeObjectRelease", 5);
ENTRY("swift_bridgeObjectRetain_n", 6);
ENTRY("swift_bridgeObjectRelease_n", 7);
ENTRY("swift_allocObject", 8);
ENTRY("swift_slowAlloc", 9);
ENTRY("swift_beginAccess", 10);
ENTRY("swift_isUniquelyReferenced_nonNull_native", 11);

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t size) {
    COUNT(MALLOC);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    COUNT(CALLOC);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    COUNT(REALLOC);
    return __libc_realloc(memory, size);
}

void free(void *memory) {
    if (memory) COUNT(FREE);
    __libc_free(memory);
}

void *memalign(size_t alignment, size_t size) {
    COUNT(ALIGNED);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    COUNT(ALIGNED);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    COUNT(ALIGNED);
    void *memory = __libc_memalign(alignment, size);
    if (!memory) return ENOMEM;
    *result = memory;
    return 0;
}

// A thread that serves clients is known by its name.
int pthread_setname_np(pthread_t thread, const char *name) {
    static int (*real)(pthread_t, const char *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_setname_np");
    if (pthread_equal(thread, pthread_self()))
        gate_counters = page + (strncmp(name, "worker-", 7) ? OTHERS : WORKERS);
    return real(thread, name);
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("DROVER_COUNTERS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    // What was called before this is lost, and of no interest.
    void *shared = mmap(page, sizeof page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    close(file);
    if (shared == MAP_FAILED) abort();
    // Children of the program are not what is counted.
    unsetenv("LD_PRELOAD");
}
