// Runs a kernel block by block. The fibers of a block run one at a time, each until it waits for others, so that a value
// that is read before the barrier that should have come first is read too early by half of them: from launch to launch
// threads and warps run in ascending and in descending order.
#include "cuda.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

namespace emulation {

const unsigned MOST_THREADS = 1024, WARP = 32;
const size_t STACK = 128 << 10, SHARED = 48 << 10;

enum State { READY, AT_WARP, AT_BLOCK, DONE };

struct Thread {
    unsigned index;
    State state;
    // What it waits with: the line of the text, and the value that it brings.
    unsigned line;
    uint64_t value;
    jmp_buf here;
    bool born;
};

static Thread threads[MOST_THREADS];
static char* stacks;
static uint64_t values[MOST_THREADS]; // what the lanes of each warp brought to their last meeting
static jmp_buf scheduler;
static Thread* current;
static const Kernel* kernel;
static const void* args;
static char* shared;
static Kernel* kernels;
static unsigned launches;
static char said[200];
static bool failed;
dim3 thread_index, block_index, block_size, grid_size;

Kernel::Kernel(const char* name, Run run, size_t args, unsigned threads)
    : name(name), run(run), args(args), threads(threads), next(kernels) {
    kernels = this;
}

// The fiber rests, and the scheduler goes on; until the scheduler resumes it. Never inlined, so that nothing lives in a
// register across it.
__attribute__((noinline)) static void rest(State state) {
    Thread* self = current;
    self->state = state;
    if (_setjmp(self->here) == 0) _longjmp(scheduler, 1);
}

static void fiber() {
    for (;;) {
        kernel->run(args);
        rest(DONE);
    }
}

__attribute__((noinline)) static void resume(Thread* thread) {
    current = thread;
    thread_index.x = thread->index;
    thread->state = READY;
    if (_setjmp(scheduler) != 0) return;
    if (thread->born) _longjmp(thread->here, 1);
    thread->born = true;
    static ucontext_t start, back;
    getcontext(&start);
    start.uc_stack.ss_sp = stacks + thread->index * STACK;
    start.uc_stack.ss_size = STACK;
    start.uc_link = nullptr;
    makecontext(&start, fiber, 0);
    swapcontext(&back, &start);
}

static void wait_at(State state, unsigned line, uint64_t value) {
    current->line = line;
    current->value = value;
    rest(state);
}

uint64_t exchange(uint64_t value, unsigned from, unsigned line) {
    wait_at(AT_WARP, line, value);
    return values[current->index / WARP * WARP + from];
}

unsigned vote(bool flag, unsigned line) {
    wait_at(AT_WARP, line, flag);
    unsigned all = 0;
    for (unsigned lane = 0; lane < WARP; lane++)
        all |= (unsigned)(values[current->index / WARP * WARP + lane] & 1) << lane;
    return all;
}

void meet(unsigned line) { wait_at(AT_BLOCK, line, 0); }

void* shared_memory(size_t bytes, unsigned line) {
    if (bytes > SHARED && !failed) {
        failed = true;
        snprintf(said, sizeof said, "line %u asks for %zu bytes of shared memory, of %zu", line, bytes, SHARED);
    }
    return shared;
}

// Whether all of these threads wait in one state at one line; says who does not.
static bool together(unsigned first, unsigned count, State state, const char* what) {
    unsigned there = 0, line = 0, missing = first;
    for (unsigned i = first; i < first + count; i++)
        if (threads[i].state == state) {
            there++;
            line = threads[i].line;
        }
    for (unsigned i = first; i < first + count; i++)
        if (threads[i].state != state || threads[i].line != line) missing = i;
    for (unsigned i = first; i < first + count; i++)
        if (threads[i].state == state && threads[i].line != line) there = 0;
    if (there == count) return true;
    failed = true;
    const Thread& miss = threads[missing];
    const int n = snprintf(said, sizeof said, "block %u: thread %u misses the %s of line %u: it ", block_index.x, missing,
                           what, line);
    if (miss.state == DONE) snprintf(said + n, sizeof said - n, "has ended");
    else snprintf(said + n, sizeof said - n, "waits at line %u", miss.line);
    return false;
}

// Runs a warp until its lanes have ended or wait for the block.
static void run_warp(unsigned first, bool descending) {
    for (;;) {
        bool waiting = false;
        for (unsigned i = 0; i < WARP; i++) {
            Thread* thread = &threads[first + (descending ? WARP - 1 - i : i)];
            if (thread->state == READY) resume(thread);
            if (failed) return;
            waiting |= thread->state == AT_WARP;
        }
        if (!waiting || !together(first, WARP, AT_WARP, "warp operation")) return;
        for (unsigned i = first; i < first + WARP; i++) {
            values[i] = threads[i].value;
            threads[i].state = READY;
        }
    }
}

static void run_block(bool descending) {
    const unsigned n = block_size.x;
    memset(shared, 0xff, SHARED);
    for (unsigned i = 0; i < n; i++) threads[i].state = READY;
    for (;;) {
        for (unsigned i = 0; i < n; i += WARP) {
            run_warp(descending ? n - WARP - i : i, descending);
            if (failed) return;
        }
        bool waiting = false;
        for (unsigned i = 0; i < n; i++) waiting |= threads[i].state == AT_BLOCK;
        if (!waiting || !together(0, n, AT_BLOCK, "barrier")) return;
        for (unsigned i = 0; i < n; i++) threads[i].state = READY;
    }
}

} // namespace emulation

// Runs a kernel; gives nothing, or what went wrong. One launch at a time: the caller holds a lock.
extern "C" const char* ppo_emulation_launch(const char* name, unsigned blocks, const void* args, size_t bytes) {
    using namespace emulation;
    kernel = kernels;
    while (kernel != nullptr && strcmp(kernel->name, name) != 0) kernel = kernel->next;
    if (kernel == nullptr) {
        snprintf(said, sizeof said, "there is no such kernel");
        return said;
    }
    if (kernel->args != bytes || kernel->threads % WARP != 0 || kernel->threads > MOST_THREADS) {
        snprintf(said, sizeof said, "takes %zu bytes and %u threads, and was given %zu bytes", kernel->args,
                 kernel->threads, bytes);
        return said;
    }
    if (stacks == nullptr) stacks = static_cast<char*>(malloc(MOST_THREADS * STACK));
    if (shared == nullptr) shared = static_cast<char*>(aligned_alloc(256, SHARED));
    if (stacks == nullptr || shared == nullptr) return "no memory for its threads";
    for (unsigned i = 0; i < MOST_THREADS; i++) threads[i].index = i;
    emulation::args = args;
    block_size.x = kernel->threads;
    grid_size.x = blocks;
    failed = false;
    const bool odd = launches++ % 2 == 1;
    for (unsigned i = 0; i < blocks && !failed; i++) {
        block_index.x = odd ? blocks - 1 - i : i;
        run_block(odd);
    }
    // Fibers that stopped halfway are not used again.
    if (failed)
        for (unsigned i = 0; i < MOST_THREADS; i++) threads[i].born = false;
    return failed ? said : nullptr;
}
