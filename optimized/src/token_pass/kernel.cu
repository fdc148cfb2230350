// `eq:log-prob` and `eq:entropy` in one read of the logits: 4 bytes a logit (bf16: 2) and some 15 instructions, so f32 is
// bound by memory and bf16 about as much by the number of instructions. From sm_100 on it is 9, two logits at a time.
//
// A block has a token; each of its warps takes every eighth tile of 2048 logits, holds it in registers, and takes first its
// maximum, then its sums, on the 128 lanes of ORDER.md 4.1. What the tiles say waits in shared memory; one warp merges it.

const u32 WARPS = 8, MOST_TILES = 256;

// What is kept of each tile: ORDER.md 4.1's m, S and W.
struct Tiles {
    float m[MOST_TILES], s[MOST_TILES], w[MOST_TILES];
};

// Where they go.
struct Places {
    float *m, *s, *w;
};

// Where a warp leaves its lanes' sums to be folded. w begins half the banks after s, where the other half of the warp reads.
struct Room {
    alignas(16) float s[LANES + 16], w[LANES];
};

// A lane's sums of a tile. PLAIN: the temperature is 1, and no u of the tile is below LO. The other way gives the same
// numbers there, with two operations more: x · 1 is x, and what is not below LO is not lifted.
template <bool PLAIN, class X>
__device__ __forceinline__ void sum(const typename X::Raw* raw, float m, float inv_tau, Two* s, Two* w) {
#pragma unroll
    for (u32 j = 0; j < STEPS; j++)
#pragma unroll
        for (u32 h = 0; h < 2; h++) {
            const Two x = X::two(raw[j], h);
            const Two u = PLAIN ? sub2(x, both(m)) : lift(sub2(mul2(x, both(inv_tau)), both(m)));
            const Two e = exp_softmax(u);
            s[h] = j == 0 ? e : add2(s[h], e); // 0 + e is e, which is never -0
            w[h] = fma2(e, u, j == 0 ? both(0.0f) : w[h]);
        }
}

// S in lane 0 and W in lane 16: strides 64 to 16 within a lane, the others between lanes.
__device__ __forceinline__ float fold(Room& room, const Two* s, const Two* w) {
    __syncwarp(); // the tile before has been read
    *(float4*)(room.s + 4 * lane()) = {s[0].x, s[0].y, s[1].x, s[1].y};
    *(float4*)(room.w + 4 * lane()) = {w[0].x, w[0].y, w[1].x, w[1].y};
    __syncwarp();
    const float* from = (lane() < 16 ? room.s : room.w) + lane() % 16;
    float x[8];
#pragma unroll
    for (u32 j = 0; j < 8; j++) x[j] = from[16 * j];
#pragma unroll
    for (u32 by = 4; by > 0; by /= 2)
#pragma unroll
        for (u32 j = 0; j < by; j++) x[j] = __fadd_rn(x[j], x[j + by]);
#pragma unroll
    for (u32 by = 8; by > 0; by /= 2) x[0] = __fadd_rn(x[0], __shfl_down_sync(WARP, x[0], by));
    return x[0];
}

// Tile t of a row, by a warp.
template <class X>
__device__ __forceinline__ void tile(const typename X::Raw* raw, float inv_tau, Room& room, const Places& to, u32 t) {
    // A product with a positive number and a difference are monotone after rounding too, so that the ends stand for all.
    const Ends ends = X::ends(raw);
    const float m = __fadd_rn(max_warp(fmaxf(LEAST, __fmul_rn(ends.max, inv_tau))), 0.0f);
    const bool below = __fsub_rn(__fmul_rn(ends.min, inv_tau), m) < LO;
    Two s[2], w[2];
    if (inv_tau == 1.0f && !__any_sync(WARP, below)) sum<true, X>(raw, m, inv_tau, s, w);
    else sum<false, X>(raw, m, inv_tau, s, w);
    const float of = fold(room, s, w);
    if (lane() == 0) to.m[t] = m;
    if (lane() % 16 == 0) (lane() == 0 ? to.s : to.w)[t] = of;
}

// A row's tiles first, first + every, …, by a warp; the row has n logits. One that lies across wide accesses is read logit by
// logit, and so is a last tile that is not whole.
template <class X>
__device__ __forceinline__ void tiles(const typename X::Number* x, u32 n, float inv_tau, Room& room, const Places& to, u32 first,
                                      u32 every) {
    const u32 count = (n + TILE - 1) / TILE, whole = aligned(x, X::WIDE) ? n / TILE : 0;
    x += first * TILE + 4 * lane();
    for (u32 t = first; t < count; t += every, x += every * TILE) {
        typename X::Raw raw[STEPS];
        if (t < whole) {
#pragma unroll
            for (u32 j = 0; j < STEPS; j++) raw[j] = X::wide(x + j * LANES);
        } else {
            const u32 left = n - t * TILE;
#pragma unroll
            for (u32 j = 0; j < STEPS; j++) {
                const u32 i = j * LANES + 4 * lane();
                raw[j] = X::some(x + j * LANES, i < left ? left - i : 0);
            }
        }
        tile<X>(raw, inv_tau, room, to, t);
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
__device__ __forceinline__ void finish(const Forward& args, const Tiles& tiles, u32 slot, const typename X::Number* x) {
    const u32 count = (args.vocab + TILE - 1) / TILE;
    float max = LEAST;
    for (u32 t = lane(); t < count; t += ROW_LANES) max = fmaxf(max, tiles.m[t]);
    max = __fadd_rn(max_warp(max), 0.0f);
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

struct Shared {
    Room rooms[WARPS];
    Tiles tiles;
};

template <class X> __device__ __forceinline__ void forward(const Forward& args, Shared& shared) {
    const u32 slot = args.slots == nullptr ? blockIdx.x : args.slots[blockIdx.x];
    if (!args.valid[slot]) { // the whole block
        if (threadIdx.x == 0) say(args, slot, 0.0f, 0.0f, 0.0f, 0.0f);
        return;
    }
    const typename X::Number* x = (const typename X::Number*)args.logits + slot * args.stride;
    const u32 warp = threadIdx.x / 32;
    const Places to = {shared.tiles.m, shared.tiles.s, shared.tiles.w};
    tiles<X>(x, args.vocab, args.inv_tau, shared.rooms[warp], to, warp, WARPS);
    __syncthreads();
    if (threadIdx.x < 32) finish<X>(args, shared.tiles, slot, x);
}

KERNEL(token_pass_f32, 256, Forward) {
    SHARED(Shared);
    forward<F32>(args, shared);
}
KERNEL(token_pass_bf16, 256, Forward) {
    SHARED(Shared);
    forward<Bf16>(args, shared);
}

// The tiles of a shard of one row, a warp each: what LogSumExp keeps.
struct Shard {
    const void* logits;
    Places to;
    u32 count;
    float inv_tau;
};

struct Rooms {
    Room of[WARPS];
};

template <class X> __device__ __forceinline__ void shard(const Shard& args, Rooms& rooms) {
    const typename X::Number* x = (const typename X::Number*)args.logits;
    tiles<X>(x, args.count, args.inv_tau, rooms.of[threadIdx.x / 32], args.to, warp_of_grid(), WARPS * gridDim.x);
}

KERNEL(token_pass_shard_f32, 256, Shard) {
    SHARED(Rooms);
    shard<F32>(args, shared);
}
KERNEL(token_pass_shard_bf16, 256, Shard) {
    SHARED(Rooms);
    shard<Bf16>(args, shared);
}
