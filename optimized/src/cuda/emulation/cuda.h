// The part of CUDA that the kernels are written in, on a CPU. A thread of a block is a fiber; what the threads of a
// warp or a block do together is a meeting, and whoever misses one ends the launch with a sentence. The scheduler is
// machine.cpp.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dim3 {
    unsigned x;
};
struct float4 {
    float x, y, z, w;
};
struct uint2 {
    unsigned x, y;
};

namespace emulation {

struct Thread;
extern dim3 thread_index, block_index, block_size, grid_size;

// Every lane of the warp brings a value and gets that of lane `from`.
uint64_t exchange(uint64_t value, unsigned from, unsigned line);
// Every lane brings a flag and gets the flags of all.
unsigned vote(bool flag, unsigned line);
// Waits for every thread of the block.
void meet(unsigned line);
// The block's shared memory: at most what CUDA gives without asking, full of NaN when a block begins.
void* shared_memory(size_t bytes, unsigned line);

typedef void (*Run)(const void* args);
struct Kernel {
    const char* name;
    Run run;
    size_t args;
    unsigned threads;
    Kernel* next;
    Kernel(const char* name, Run run, size_t args, unsigned threads);
};

// The NaN of a GPU's arithmetic, which has no payload: the exponent's integer addition in exp makes a number of it.
static inline float one_nan(float x) {
    const unsigned bits = 0x7fffffffu;
    float nan;
    memcpy(&nan, &bits, 4);
    return x == x ? x : nan;
}

static inline float shuffle_down(float x, unsigned by, unsigned lane, unsigned line) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = (uint32_t)exchange(bits, lane + by < 32 ? lane + by : lane, line);
    memcpy(&x, &bits, 4);
    return x;
}
static inline unsigned shuffle_down(unsigned x, unsigned by, unsigned lane, unsigned line) {
    return (unsigned)exchange(x, lane + by < 32 ? lane + by : lane, line);
}

// The largest of what the lanes bring, to each of them.
static inline int greatest(int x, unsigned lane, unsigned line) {
    for (unsigned by = 16; by > 0; by /= 2) {
        const int other = (int)(uint32_t)exchange((uint32_t)x, lane ^ by, line);
        x = other > x ? other : x;
    }
    return x;
}

} // namespace emulation

#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define threadIdx (emulation::thread_index)
#define blockIdx (emulation::block_index)
#define blockDim (emulation::block_size)
#define gridDim (emulation::grid_size)

#define __syncthreads() emulation::meet(__LINE__)
#define __syncwarp() ((void)emulation::vote(false, __LINE__))
#define __shfl_down_sync(mask, value, by) emulation::shuffle_down(value, by, threadIdx.x % 32, __LINE__)
#define __shfl_sync(mask, value, from) emulation::shuffle_down(value, 0, (from) % 32, __LINE__)
#define __reduce_max_sync(mask, value) emulation::greatest(value, threadIdx.x % 32, __LINE__)
#define __ballot_sync(mask, flag) emulation::vote(flag, __LINE__)
#define __any_sync(mask, flag) (emulation::vote(flag, __LINE__) != 0)

// A kernel takes one struct; the machine finds it by its name.
#define KERNEL(name, threads, Args, ...)                                                       \
    static void name(const Args& args);                                                        \
    static void name##_run(const void* args) { name(*static_cast<const Args*>(args)); }        \
    static emulation::Kernel name##_kernel(#name, name##_run, sizeof(Args), threads);          \
    static void name(const Args& args)
#define SHARED(Shared) Shared& shared = *static_cast<Shared*>(emulation::shared_memory(sizeof(Shared), __LINE__))

static inline float __fmaf_rn(float a, float b, float c) { return emulation::one_nan(__builtin_fmaf(a, b, c)); }
static inline float __fadd_rn(float a, float b) { return emulation::one_nan(a + b); }
static inline float __fsub_rn(float a, float b) { return emulation::one_nan(a - b); }
static inline float __fmul_rn(float a, float b) { return emulation::one_nan(a * b); }
static inline float __fdiv_rn(float a, float b) { return emulation::one_nan(a / b); }
static inline float __fsqrt_rn(float a) { return emulation::one_nan(__builtin_sqrtf(a)); }
static inline float __int2float_rn(int a) { return (float)a; }
static inline float __uint2float_rn(unsigned a) { return (float)a; }
static inline unsigned __float_as_uint(float a) {
    unsigned bits;
    memcpy(&bits, &a, 4);
    return bits;
}
static inline float __uint_as_float(unsigned bits) {
    float a;
    memcpy(&a, &bits, 4);
    return a;
}
static inline float fabsf(float a) { return __uint_as_float(__float_as_uint(a) & 0x7fffffffu); }
// IEEE maxNum and minNum: of two numbers the larger or the smaller, and a NaN is dropped.
static inline float fmaxf(float a, float b) { return a != a ? b : b != b ? a : a > b ? a : b; }
static inline float fminf(float a, float b) { return a != a ? b : b != b ? a : a < b ? a : b; }
// PTX max.NaN.f32: a NaN of either survives.
static inline float max_nan(float a, float b) { return a != a || b != b ? __uint_as_float(0x7fffffffu) : a > b ? a : b; }
// PTX max.bf16x2 and min.bf16x2, which drop a NaN, and cvt.rn.bf16x2.f32, whose NaN has no payload.
static inline float half_of(unsigned pair, unsigned half) {
    return __uint_as_float(half == 0 ? pair << 16 : pair & 0xffff0000u);
}
static inline unsigned narrow_bf16(float x) {
    const unsigned bits = __float_as_uint(x);
    return x != x ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}
static inline unsigned narrow_bf16x2(float low, float high) { return narrow_bf16(low) | narrow_bf16(high) << 16; }
static inline unsigned max_bf16x2(unsigned a, unsigned b) {
    return narrow_bf16x2(fmaxf(half_of(a, 0), half_of(b, 0)), fmaxf(half_of(a, 1), half_of(b, 1)));
}
static inline unsigned min_bf16x2(unsigned a, unsigned b) {
    return narrow_bf16x2(fminf(half_of(a, 0), half_of(b, 0)), fminf(half_of(a, 1), half_of(b, 1)));
}
template <class T> static inline T __ldcs(const T* from) {
    if ((uintptr_t)from % sizeof(T) != 0) __builtin_trap(); // a GPU faults too
    return *from;
}
template <class T> static inline void __stcs(T* to, T x) {
    if ((uintptr_t)to % sizeof(T) != 0) __builtin_trap();
    *to = x;
}
