// A plugin of QEMU that counts what one process of the emulated machine executes: instructions outside of the kernel and
// in it, and system calls. DROVER_COUNTS names a file of a page that the machine sees too; its 64-bit words are
//   0          generation * 2, plus 1 while tasks are being marked
//   1          how many tasks have been marked
//   8 + 8 * n  of processor n: user instructions, kernel instructions and system calls of marked tasks
// While tasks are being marked, one is marked that executes anything outside of the kernel on processor 1. A mark counts
// for its generation only. What interrupts do in a task's time is the task's, as it is for perf.
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

// The plugin interface, version 1, as far as it is used here: Debian has no header of it.
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
// With reads alone QEMU 7.2 calls nothing.
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *, void (*)(unsigned cpu, void *data), int registers, void *data);
extern void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *, void (*)(unsigned cpu, uint32_t info, uint64_t address, void *data), int registers,
    int accesses, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int qemu_plugin_version = 1;

enum { PROCESSORS = 2, TASKS = 4096, USER = 0, KERNEL = 1, CALLS = 2 };

// A task is known by the address at which the kernel keeps its stack pointer.
struct task {
    _Atomic uint64_t address;
    uint64_t generation;
};

static struct task tasks[TASKS];
static struct task *current[PROCESSORS] = {&tasks[0], &tasks[0]};
static volatile uint64_t *page;

static struct task *task_at(uint64_t address) {
    size_t index = (address >> 6) * 0x9e3779b97f4a7c15u >> 52;
    for (size_t step = 0; step < TASKS; step++, index = (index + 1) % TASKS) {
        uint64_t there = tasks[index].address;
        if (there == address) return &tasks[index];
        uint64_t nothing = 0;
        if (there == 0 && __atomic_compare_exchange_n(
                &tasks[index].address, &nothing, address, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return &tasks[index];
        if (tasks[index].address == address) return &tasks[index];
    }
    abort();
}

static void switched(unsigned cpu, uint32_t info, uint64_t address, void *data) {
    (void)info, (void)data;
    current[cpu] = task_at(address);
}

// What a block of instructions adds: their number, whether they are the kernel's, and whether a system call ends them.
static void *packed(size_t count, bool is_kernel, bool is_call) {
    return (void *)(uintptr_t)(count << 2 | (size_t)is_call << 1 | is_kernel);
}

static void executed(unsigned cpu, void *data) {
    uintptr_t block = (uintptr_t)data;
    uint64_t state = page[0];
    struct task *task = current[cpu];
    if (state & 1 && cpu == 1 && !(block & 1) && task->generation != state >> 1) {
        task->generation = state >> 1;
        page[1]++;
    }
    if (task->generation != state >> 1) return;
    volatile uint64_t *counts = page + 8 + 8 * cpu;
    counts[block & 1 ? KERNEL : USER] += block >> 2;
    if (block & 2) counts[CALLS]++;
}

// A string instruction with a repeat prefix: a processor counts it once, the emulator goes through it again and again, in
// a block of its own.
static bool repeats(const uint8_t *code, size_t size) {
    if (size < 2 || (code[0] != 0xf3 && code[0] != 0xf2)) return false;
    uint8_t operation = (code[1] & 0xf0) == 0x40 && size > 2 ? code[2] : code[1];
    return (operation >= 0xa4 && operation <= 0xa7) || (operation >= 0xaa && operation <= 0xaf);
}

// mov offset(%rsi), %rsp: the next task's stack, in __switch_to_asm only.
static bool takes_stack(const uint8_t *code, size_t size) {
    return size == 7 && code[0] == 0x48 && code[1] == 0x8b && code[2] == 0xa6;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(block);
    bool is_kernel = qemu_plugin_tb_vaddr(block) >> 63, is_call = false;
    for (size_t index = 0; index < count; index++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, index);
        const uint8_t *code = qemu_plugin_insn_data(instruction);
        size_t size = qemu_plugin_insn_size(instruction);
        if (is_kernel && takes_stack(code, size))
            qemu_plugin_register_vcpu_mem_cb(instruction, switched, NO_REGISTERS, READS_AND_WRITES, NULL);
        if (!is_kernel && size == 2 && code[0] == 0x0f && code[1] == 0x05) is_call = true;
        if (count == 1 && repeats(code, size)) return;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, packed(count, is_kernel, is_call));
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *machine, int count, char **arguments) {
    (void)machine, (void)count, (void)arguments;
    const char *path = getenv("DROVER_COUNTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return 1;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
