// `eq:log-prob` and `eq:entropy` in one read of the logits, and their gradient in one read and one write: 4 bytes a logit
// (bf16: 2) and some 15 operations, so f32 is bound by memory and bf16 about as much by the number of instructions.
//
// A block has a token; each of its warps takes every eighth tile of 2048 logits, holds it in registers, and takes first its
// maximum, then its sums, on the 128 lanes of ORDER.md 4.1. What the tiles say waits in shared memory, and one warp merges it.

// Logits as they lie in memory; one that is missing is -inf.
struct F32 {
    typedef float Number;
    static __device__ __forceinline__ float widen(float x) { return x; }
    static __device__ __forceinline__ float narrow(float x) { return x; }
    // Four at an address that is a multiple of WIDE.
    static const u32 WIDE = 16;
    static __device__ __forceinline__ Four wide(const float* x) {
        const float4 v = __ldcs((const float4*)x);
        Four f;
        f.x[0] = v.x;
        f.x[1] = v.y;
        f.x[2] = v.z;
        f.x[3] = v.w;
        return f;
    }
    static __device__ __forceinline__ void store(float* to, u32 left, const Four& f) { put(to, 0, left, f); }
};

struct Bf16 {
    typedef u16 Number;
    static __device__ __forceinline__ float widen(u32 x) { return __uint_as_float(x << 16); }
    // To nearest even; a NaN keeps its upper half and becomes quiet.
    static __device__ __forceinline__ u16 narrow(float x) {
        const u32 bits = __float_as_uint(x);
        const u32 rounded = bits + 0x7fffu + (bits >> 16 & 1);
        return (u16)((is_nan(x) ? bits | 0x400000u : rounded) >> 16);
    }
    static const u32 WIDE = 8;
    static __device__ __forceinline__ Four wide(const u16* x) {
        const uint2 v = __ldcs((const uint2*)x);
        Four f;
        f.x[0] = widen(v.x & 0xffffu);
        f.x[1] = __uint_as_float(v.x & 0xffff0000u);
        f.x[2] = widen(v.y & 0xffffu);
        f.x[3] = __uint_as_float(v.y & 0xffff0000u);
        return f;
    }
    static __device__ __forceinline__ void store(u16* to, u32 left, const Four& f) {
        if (left >= 4 && aligned(to, 8)) {
            uint2 v;
            v.x = narrow(f.x[0]) | (u32)narrow(f.x[1]) << 16;
            v.y = narrow(f.x[2]) | (u32)narrow(f.x[3]) << 16;
            __stcs((uint2*)to, v);
        } else {
            for (u32 k = 0; k < 4; k++)
                if (k < left) to[k] = narrow(f.x[k]);
        }
    }
};

// Four from x on, of which `left` are there.
template <class X> __device__ __forceinline__ Four load(const typename X::Number* x, u32 left) {
    if (left >= 4 && aligned(x, X::WIDE)) return X::wide(x);
    Four f;
    for (u32 k = 0; k < 4; k++) f.x[k] = k < left ? X::widen(x[k]) : __uint_as_float(0xff800000u);
    return f;
}

const u32 STEPS = TILE / LANES, WARPS = 8, MOST_TILES = 256;

// What is kept of each tile: ORDER.md 4.1's m, S and W.
struct Tiles {
    float m[MOST_TILES], s[MOST_TILES], w[MOST_TILES];
};

// Where they go.
struct Places {
    float *m, *s, *w;
};

// One tile of a row, of which `left` logits are there, by a warp; the three numbers go to place `at`.
template <class X>
__device__ __forceinline__ void tile(const typename X::Number* x, u32 left, float inv_tau, const Places& to, u32 at) {
    Four of[STEPS];
    // A whole tile asks once, and not at each step.
    if (left >= TILE && aligned(x, X::WIDE)) {
#pragma unroll
        for (u32 j = 0; j < STEPS; j++) of[j] = X::wide(x + j * LANES + 4 * lane());
    } else {
#pragma unroll
        for (u32 j = 0; j < STEPS; j++) {
            const u32 i = j * LANES + 4 * lane();
            of[j] = load<X>(x + i, i < left ? left - i : 0);
        }
    }
    if (inv_tau != 1.0f) {
#pragma unroll
        for (u32 j = 0; j < STEPS; j++)
#pragma unroll
            for (u32 k = 0; k < 4; k++) of[j].x[k] = __fmul_rn(of[j].x[k], inv_tau);
    }
    // The order is free, and a NaN may be dropped: it is in W.
    float m = LEAST;
#pragma unroll
    for (u32 j = 0; j < STEPS; j++)
#pragma unroll
        for (u32 k = 0; k < 4; k++) m = fmaxf(m, of[j].x[k]);
    for (u32 by = 16; by > 0; by /= 2) m = fmaxf(m, __shfl_down_sync(WARP, m, by));
    m = __fadd_rn(__shfl_sync(WARP, m, 0), 0.0f);
    Lanes s = no_lanes(), w = no_lanes();
#pragma unroll
    for (u32 j = 0; j < STEPS; j++)
#pragma unroll
        for (u32 k = 0; k < 4; k++) {
            const float u = lift(__fsub_rn(of[j].x[k], m));
            const float e = exp_softmax(u);
            s.x[k] = __fadd_rn(s.x[k], e);
            w.x[k] = __fmaf_rn(e, u, w.x[k]);
        }
    const float of_s = fold(s), of_w = fold(w);
    if (lane() == 0) {
        to.m[at] = m;
        to.s[at] = of_s;
        to.w[at] = of_w;
    }
}

struct Forward {
    const u8* valid;
    const u32* slots; // the slot of each token; null: token i is slot i
    const void* logits;
    const u32* actions; // null where only H is asked for
    u64 stride;
    u32 vocab;
    float inv_tau;
    float *logp, *ent, *max, *ln_sum, *max_ent, *ln_sum_ent; // null where they are not asked for
};

// Writes what is said of a token.
__device__ __forceinline__ void say(const Forward& args, u32 slot, float logp, float ent, float max, float ln_sum) {
    if (args.logp != nullptr) args.logp[slot] = logp;
    if (args.ent != nullptr) args.ent[slot] = ent;
    if (args.max != nullptr) args.max[slot] = max;
    if (args.ln_sum != nullptr) args.ln_sum[slot] = ln_sum;
    if (args.max_ent != nullptr) args.max_ent[slot] = max;
    if (args.ln_sum_ent != nullptr) args.ln_sum_ent[slot] = ln_sum;
}

// ORDER.md 4.1: the tiles on 32 lanes, by one warp, and the finish.
template <class X>
__device__ __forceinline__ void finish(const Forward& args, const Tiles& tiles, u32 count, u32 slot, const typename X::Number* x) {
    float max = LEAST;
    for (u32 t = lane(); t < count; t += ROW_LANES) max = fmaxf(max, tiles.m[t]);
    for (u32 by = 16; by > 0; by /= 2) max = fmaxf(max, __shfl_down_sync(WARP, max, by));
    max = __fadd_rn(__shfl_sync(WARP, max, 0), 0.0f);
    float s = 0.0f, w = 0.0f;
    for (u32 t = lane(); t < count; t += ROW_LANES) {
        const float d = lift(__fsub_rn(tiles.m[t], max));
        const float c = exp_softmax(d);
        s = __fmaf_rn(c, tiles.s[t], s);
        w = __fmaf_rn(c, __fmaf_rn(d, tiles.s[t], tiles.w[t]), w);
    }
    s = fold_warp(s);
    w = fold_warp(w);
    if (lane() != 0) return;
    float x_a = 0.0f;
    if (args.actions != nullptr) {
        const u32 action = args.actions[slot]; // on a device nobody has looked at it before
        x_a = action < args.vocab ? X::widen(x[action]) : NAN_OUT;
        if (args.inv_tau != 1.0f) x_a = __fmul_rn(x_a, args.inv_tau);
    }
    if (!(s >= 1.0f) || is_nan(w) || is_nan(x_a)) {
        say(args, slot, NAN_OUT, NAN_OUT, NAN_OUT, NAN_OUT);
        return;
    }
    const float ln_sum = ln(s);
    say(args, slot, __fsub_rn(__fsub_rn(x_a, max), ln_sum), __fsub_rn(ln_sum, __fdiv_rn(w, s)), max, ln_sum);
}

template <class X> __device__ __forceinline__ void forward(const Forward& args, Tiles& tiles) {
    const u32 slot = args.slots == nullptr ? blockIdx.x : args.slots[blockIdx.x];
    if (!args.valid[slot]) { // the whole block
        if (threadIdx.x == 0) say(args, slot, 0.0f, 0.0f, 0.0f, 0.0f);
        return;
    }
    const typename X::Number* x = (const typename X::Number*)args.logits + slot * args.stride;
    const u32 count = (args.vocab + TILE - 1) / TILE;
    const Places to = {tiles.m, tiles.s, tiles.w};
    for (u32 t = threadIdx.x / 32; t < count; t += WARPS)
        tile<X>(x + t * TILE, args.vocab - t * TILE, args.inv_tau, to, t);
    __syncthreads();
    if (threadIdx.x < 32) finish<X>(args, tiles, count, slot, x);
}

KERNEL(token_pass_f32, 256, Forward) {
    SHARED(Tiles);
    forward<F32>(args, shared);
}
KERNEL(token_pass_bf16, 256, Forward) {
    SHARED(Tiles);
    forward<Bf16>(args, shared);
}

// The tiles of a shard of one row, a warp each: what LogSumExp keeps.
struct Shard {
    const void* logits;
    Places to;
    u32 count;
    float inv_tau;
};

template <class X> __device__ __forceinline__ void shard(const Shard& args) {
    const u32 t = warp_of_grid();
    if (t * TILE >= args.count) return;
    tile<X>((const typename X::Number*)args.logits + t * TILE, args.count - t * TILE, args.inv_tau, args.to, t);
}

KERNEL(token_pass_shard_f32, 256, Shard) { shard<F32>(args); }
KERNEL(token_pass_shard_bf16, 256, Shard) { shard<Bf16>(args); }

struct Backward {
    const u8* valid;
    const u32* slots; // as in Forward
    const void* logits;
    void* grad; // the same, or elsewhere
    const u32* actions;
    u64 stride, grad_stride;
    u32 vocab;
    float inv_tau, inv_tau_ent;
    u32 two; // the entropy has a temperature of its own
    const float *ent, *max, *ln_sum, *max_ent, *ln_sum_ent, *g_logp, *g_ent;
};

// One softmax of a token and what flows through it: ORDER.md 4.2.
struct Softmax {
    float max, ln_sum, c, neg_g_ent, inv_tau;
};

__device__ __forceinline__ Softmax softmax(float max, float ln_sum, float g_logp, float g_ent, float ent, float inv_tau) {
    Softmax of;
    of.max = max;
    of.ln_sum = ln_sum;
    of.c = -__fmaf_rn(g_ent, ent, g_logp);
    of.neg_g_ent = -g_ent;
    of.inv_tau = inv_tau;
    return of;
}

// Of the action's logit g_logp is added too.
__device__ __forceinline__ float slope(const Softmax& of, float x, bool is_action, float g_logp) {
    if (of.inv_tau != 1.0f) x = __fmul_rn(x, of.inv_tau);
    const float lp = lift(__fsub_rn(__fsub_rn(x, of.max), of.ln_sum));
    const float p = lp == LO ? 0.0f : exp_softmax(lp);
    float dx = __fmul_rn(p, __fmaf_rn(of.neg_g_ent, lp, of.c));
    if (is_action) dx = __fadd_rn(dx, g_logp);
    return of.inv_tau != 1.0f ? __fmul_rn(dx, of.inv_tau) : dx;
}

template <class X> __device__ __forceinline__ void backward(const Backward& args) {
    const u32 slot = args.slots == nullptr ? blockIdx.x : args.slots[blockIdx.x];
    const typename X::Number* x = (const typename X::Number*)args.logits + slot * args.stride;
    typename X::Number* to = (typename X::Number*)args.grad + slot * args.grad_stride;
    if (!args.valid[slot]) {
        Four none;
        for (u32 k = 0; k < 4; k++) none.x[k] = 0.0f;
        for (u32 i = 4 * threadIdx.x; i < args.vocab; i += 4 * blockDim.x) X::store(to + i, args.vocab - i, none);
        return;
    }
    const u32 action = args.actions[slot];
    const float g_logp = args.g_logp[slot], g_ent = args.g_ent[slot], ent = args.ent[slot];
    const float max = args.max[slot], ln_sum = args.ln_sum[slot];
    Softmax p = softmax(max, ln_sum, g_logp, g_ent, ent, args.inv_tau), h = p;
    if (args.two) {
        p = softmax(max, ln_sum, g_logp, 0.0f, 0.0f, args.inv_tau);
        h = softmax(args.max_ent[slot], args.ln_sum_ent[slot], 0.0f, g_ent, ent, args.inv_tau_ent);
    }
    for (u32 i = 4 * threadIdx.x; i < args.vocab; i += 4 * blockDim.x) {
        const Four of = load<X>(x + i, args.vocab - i);
        Four dx;
        for (u32 k = 0; k < 4; k++) {
            const bool is_action = i + k == action;
            dx.x[k] = slope(p, of.x[k], is_action, g_logp);
            if (args.two) dx.x[k] = __fadd_rn(dx.x[k], slope(h, of.x[k], is_action, 0.0f));
        }
        X::store(to + i, args.vocab - i, dx);
    }
}

KERNEL(token_pass_grad_f32, 256, Backward) { backward<F32>(args); }
KERNEL(token_pass_grad_bf16, 256, Backward) { backward<Bf16>(args); }
