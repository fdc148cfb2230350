// `eq:gae-recursion` and `eq:return`: 9 bytes read a token, 8 written, some 70 instructions. A thread has a group of eight
// slots, whose d and q it combines by itself (ORDER.md 5.3); the groups of a row are then a chain of one fma each, from the
// last to the first. That chain is all that is sequential.
//
// Many rows: a block has a row and walks it in chunks of 64 groups, of which one thread does the chain; several blocks
// share a multiprocessor, so the memory of some runs behind the chain of others (gae_rows). Few long rows, where one block
// a row would leave most of the GPU idle: all groups at once, the chains of the rows, then all groups once more from
// their carries (gae_groups, gae_chain, gae_tiles), which reads each operand twice.

struct Gae {
    Rows rows;
    const float *r, *v;
    const float* v_last;     // one a row; null: +0
    const u8* terminated;    // null: none
    const u8* truncated;     // null: none
    const float* v_boot;     // where truncated
    const float* lambdas;    // one a row; null: lambda
    const u32* next_valid;   // each group: the row's first valid slot after it, or what is not below the row's end
    float *adv, *ret;        // ret null where it is not asked for
    float *d, *q, *carry;    // each group's, where these are kept
    float gamma, lambda;
    u32 gap;
};

// The conventions, in the order of the enum.
enum { SKIP, DECAY, CUT };

const u32 GROUP = 8, GROUPS_OF_TILE = TILE / GROUP, CHUNK = 64;

struct Group {
    float d[GROUP], q[GROUP], v[GROUP];
    u32 valid;
};

// ORDER.md 5.3's table, for the slots of a row from `first` on.
__device__ __forceinline__ Group table(const Gae& args, u32 row, u32 first) {
    const u64 start = args.rows.start[row];
    const u32 n = args.rows.length[row], end = args.rows.end[row];
    const float lambda = args.lambdas == nullptr ? args.lambda : args.lambdas[row];
    const float gl = __fmul_rn(args.gamma, lambda);
    const u64 slot = start + first;
    const u32 left = n - first;
    const u8* is_valid = args.rows.valid + slot;
    Group group;
    group.valid = valid_of(is_valid, left) | (left > 4 ? valid_of(is_valid + 4, left - 4) << 4 : 0);
    Four r[2], v[2];
    r[0] = four(args.r + slot, left);
    v[0] = four(args.v + slot, left);
    r[1] = four(args.r + slot + 4, left > 4 ? left - 4 : 0);
    v[1] = four(args.v + slot + 4, left > 4 ? left - 4 : 0);
    // The slot after the group, and the next valid one at each step backwards.
    bool follows = left > GROUP && args.rows.valid[slot + GROUP];
    float v_follows = follows ? args.v[slot + GROUP] : 0.0f;
    bool later = false; // a valid slot of this group stands after the one that is looked at
    float v_later = 0.0f;
#pragma unroll
    for (u32 back = 0; back < GROUP; back++) {
        const u32 t = GROUP - 1 - back, at = first + t;
        const bool valid = group.valid >> t & 1;
        const float v_t = v[t / 4].x[t % 4];
        float d = 0.0f, q = 0.0f;
        if (at < end && valid) {
            float vn = 0.0f;
            if (args.truncated != nullptr && args.truncated[slot + t]) {
                vn = args.v_boot[slot + t];
            } else if (args.terminated != nullptr && args.terminated[slot + t]) {
                // vn and q are +0
            } else if (at + 1 == end) {
                vn = args.v_last == nullptr ? 0.0f : args.v_last[row];
                q = gl;
            } else if (follows) {
                vn = v_follows;
                q = gl;
            } else if (args.gap == SKIP) {
                vn = later ? v_later : args.v[start + args.next_valid[args.rows.first_tile[row] * GROUPS_OF_TILE + first / GROUP]];
                q = gl;
            } else if (args.gap == DECAY) {
                q = gl;
            }
            d = __fsub_rn(__fmaf_rn(args.gamma, vn, r[t / 4].x[t % 4]), v_t);
        } else if (at < end && args.gap == SKIP) {
            q = 1.0f;
        } else if (at < end && args.gap == DECAY) {
            d = follows ? __fmaf_rn(args.gamma, v_follows, 0.0f) : 0.0f;
            q = gl;
        }
        group.d[t] = d;
        group.q[t] = q;
        group.v[t] = v_t;
        follows = valid;
        v_follows = v_t;
        if (valid) {
            later = true;
            v_later = v_t;
        }
    }
    return group;
}

// Each slot's d and q with those of the group after it: strides 1, 2, 4, all from the old values.
__device__ __forceinline__ Group combined(Group group) {
#pragma unroll
    for (u32 by = 1; by < GROUP; by *= 2) {
#pragma unroll
        for (u32 t = 0; t < GROUP; t++) {
            const bool within = t + by < GROUP;
            const float next = within && group.q[t] != 0.0f ? group.d[within ? t + by : t] : 0.0f;
            group.d[t] = __fmaf_rn(group.q[t], next, group.d[t]);
            if (within) group.q[t] = __fmul_rn(group.q[t], group.q[within ? t + by : t]);
        }
    }
    return group;
}

// A of a slot from its combined d and q and what follows the group.
__device__ __forceinline__ float advantage(float d, float q, float carry) {
    return __fmaf_rn(q, q != 0.0f ? carry : 0.0f, d);
}

__device__ __forceinline__ void write(const Gae& args, u32 row, u32 first, const Group& group, float carry) {
    const u64 slot = args.rows.start[row] + first;
    const u32 left = args.rows.length[row] - first;
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        if (left <= 4 * half) break;
        Four adv, ret;
#pragma unroll
        for (u32 k = 0; k < 4; k++) {
            const u32 t = 4 * half + k;
            const bool valid = group.valid >> t & 1;
            const float a = advantage(group.d[t], group.q[t], carry);
            adv.x[k] = valid ? a : 0.0f;
            ret.x[k] = valid ? __fadd_rn(a, group.v[t]) : 0.0f;
        }
        put(args.adv, slot + 4 * half, left - 4 * half, adv);
        put(args.ret, slot + 4 * half, left - 4 * half, ret);
    }
}

// A chunk's groups as the chain sees them.
struct Chain {
    float d[CHUNK], q[CHUNK], carry[CHUNK];
    float after;          // what follows the chunk
    u32 zero[CHUNK / 32]; // bit by bit: whether q is 0
};

// What follows each group, from what follows the last, eight at a time so that nothing but the chain waits. Where no q is 0
// it is one fma a group; else the select stands in it too. A group that is not there has d and q of +0, and +0 follows it.
__device__ __forceinline__ void walk(Chain& chain) {
    float carry = chain.after;
    const bool plain = (chain.zero[0] | chain.zero[1]) == 0;
#pragma unroll 1
    for (u32 at = CHUNK; at > 0; at -= 8) {
        float d[8], q[8];
#pragma unroll
        for (u32 k = 0; k < 8; k++) {
            d[k] = chain.d[at - 8 + k];
            q[k] = chain.q[at - 8 + k];
        }
#pragma unroll
        for (u32 back = 0; back < 8; back++) {
            const u32 k = 7 - back;
            chain.carry[at - 8 + k] = carry;
            if (plain) carry = __fmaf_rn(q[k], carry, d[k]);
            else carry = advantage(d[k], q[k], carry);
        }
    }
    chain.after = carry;
}

// Enters a group, or none, into the chain of its chunk.
__device__ __forceinline__ void enter(Chain& chain, bool there, float d, float q) {
    const u32 g = threadIdx.x % CHUNK;
    const u32 zero = __ballot_sync(WARP, there && q == 0.0f);
    if (lane() == 0) chain.zero[g / 32] = zero;
    chain.d[g] = d;
    chain.q[g] = q;
}

KERNEL(gae_rows, 64, Gae) {
    SHARED(Chain);
    const u32 row = blockIdx.x, n = args.rows.length[row];
    if (threadIdx.x == 0) shared.after = 0.0f;
    for (u32 chunks = (n + CHUNK * GROUP - 1) / (CHUNK * GROUP); chunks-- > 0;) {
        const u32 first = (chunks * CHUNK + threadIdx.x) * GROUP;
        const bool there = first < n;
        Group group;
        group.d[0] = group.q[0] = 0.0f;
        if (there) group = combined(table(args, row, first));
        enter(shared, there, group.d[0], group.q[0]);
        __syncthreads();
        if (threadIdx.x == 0) walk(shared);
        __syncthreads();
        if (there) write(args, row, first, group, shared.carry[threadIdx.x]);
    }
}

// One thread a group of every tile.
KERNEL(gae_groups, 256, Gae) {
    const Tile tile = tile_at(args.rows, blockIdx.x);
    if (threadIdx.x * GROUP >= tile.n) return;
    const Group group = combined(table(args, tile.row, tile.first + threadIdx.x * GROUP));
    const u64 at = (u64)blockIdx.x * GROUPS_OF_TILE + threadIdx.x;
    args.d[at] = group.d[0];
    args.q[at] = group.q[0];
}

// One block a row: what follows each of its groups.
KERNEL(gae_chain, 64, Gae) {
    SHARED(Chain);
    const u32 row = blockIdx.x, groups = (args.rows.length[row] + GROUP - 1) / GROUP;
    const u64 start = (u64)args.rows.first_tile[row] * GROUPS_OF_TILE;
    if (threadIdx.x == 0) shared.after = 0.0f;
    const u32 chunks = (groups + CHUNK - 1) / CHUNK;
    // The next chunk is asked for while this one's chain runs.
    u32 at = (chunks - 1) * CHUNK + threadIdx.x;
    bool there = chunks > 0 && at < groups;
    float d = there ? args.d[start + at] : 0.0f, q = there ? args.q[start + at] : 0.0f;
    for (u32 chunk = chunks; chunk-- > 0;) {
        enter(shared, there, d, q);
        __syncthreads();
        const u32 here = at;
        const bool was_there = there;
        at -= CHUNK;
        there = chunk > 0;
        d = there ? args.d[start + at] : 0.0f;
        q = there ? args.q[start + at] : 0.0f;
        if (threadIdx.x == 0) walk(shared);
        __syncthreads();
        if (was_there) args.carry[start + here] = shared.carry[threadIdx.x];
    }
}

KERNEL(gae_tiles, 256, Gae) {
    const Tile tile = tile_at(args.rows, blockIdx.x);
    if (threadIdx.x * GROUP >= tile.n) return;
    const u32 first = tile.first + threadIdx.x * GROUP;
    const Group group = combined(table(args, tile.row, first));
    write(args, tile.row, first, group, args.carry[(u64)blockIdx.x * GROUPS_OF_TILE + threadIdx.x]);
}

// For the bench: fmas of one thread that each wait for the last, and nothing else. What the chain of a row cannot beat.
struct FmaChain {
    float* to;
    float x, q, d;
    u32 n;
};

KERNEL(fma_chain, 32, FmaChain) {
    if (threadIdx.x > 0) return;
    float x = args.x;
#pragma unroll 64
    for (u32 i = 0; i < args.n; i++) x = __fmaf_rn(args.q, x, args.d);
    args.to[0] = x;
}
