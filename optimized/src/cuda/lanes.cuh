// The one order of operations on a GPU: the twin of lanes/, of mask.rs and of tiles.rs, which every kernel.cu is made of.
// ORDER.md is the contract. Every operation on floats is an `_rn` intrinsic, or PTX with `.rn`, which no compiler fuses or
// reorders; there are no atomics. Names in capitals are the Rust source's constants (prelude.rs).
//
// A warp has a tile of 2048 slots: at each of 16 steps a lane holds four neighbours, so that a warp reads 512
// consecutive bytes of each operand. The 128 lanes that ORDER.md sums a tile on are then 4 · lane + k.

__device__ __forceinline__ u32 lane() { return threadIdx.x % 32; }

// ORDER.md 1: three ways to compare.
__device__ __forceinline__ bool is_nan(float x) { return x != x; }
__device__ __forceinline__ float select_greater(float a, float b) { return a > b ? a : b; }
__device__ __forceinline__ float select_lesser(float a, float b) { return a < b ? a : b; }
__device__ __forceinline__ float lesser(float a, float b) { return a < b || is_nan(a) ? a : b; }
__device__ __forceinline__ float greater(float a, float b) { return a > b || is_nan(a) ? a : b; }
__device__ __forceinline__ float clamp(float x, float lo, float hi) { return greater(lesser(x, hi), lo); }
// sel(LO, u): one operation, since only which NaN comes out differs.
__device__ __forceinline__ float lift(float u) { return max_nan(u, LO); }

// Two numbers side by side. From sm_100 on one instruction does both, which the compiler does not choose by itself; each is
// rounded as by the operation on one.
struct Two {
    float x, y;
};

__device__ __forceinline__ Two both(float x) { return {x, x}; }

#if __CUDA_ARCH__ >= 1000
__device__ __forceinline__ u64 pack(Two a) {
    u64 of;
    asm("mov.b64 %0, {%1, %2};" : "=l"(of) : "f"(a.x), "f"(a.y));
    return of;
}
__device__ __forceinline__ Two unpack(u64 a) {
    Two of;
    asm("mov.b64 {%0, %1}, %2;" : "=f"(of.x), "=f"(of.y) : "l"(a));
    return of;
}
__device__ __forceinline__ Two add2(Two a, Two b) {
    u64 of;
    asm("add.rn.f32x2 %0, %1, %2;" : "=l"(of) : "l"(pack(a)), "l"(pack(b)));
    return unpack(of);
}
__device__ __forceinline__ Two sub2(Two a, Two b) {
    u64 of;
    asm("sub.rn.f32x2 %0, %1, %2;" : "=l"(of) : "l"(pack(a)), "l"(pack(b)));
    return unpack(of);
}
__device__ __forceinline__ Two mul2(Two a, Two b) {
    u64 of;
    asm("mul.rn.f32x2 %0, %1, %2;" : "=l"(of) : "l"(pack(a)), "l"(pack(b)));
    return unpack(of);
}
__device__ __forceinline__ Two fma2(Two a, Two b, Two c) {
    u64 of;
    asm("fma.rn.f32x2 %0, %1, %2, %3;" : "=l"(of) : "l"(pack(a)), "l"(pack(b)), "l"(pack(c)));
    return unpack(of);
}
#else
__device__ __forceinline__ Two add2(Two a, Two b) { return {__fadd_rn(a.x, b.x), __fadd_rn(a.y, b.y)}; }
__device__ __forceinline__ Two sub2(Two a, Two b) { return {__fsub_rn(a.x, b.x), __fsub_rn(a.y, b.y)}; }
__device__ __forceinline__ Two mul2(Two a, Two b) { return {__fmul_rn(a.x, b.x), __fmul_rn(a.y, b.y)}; }
__device__ __forceinline__ Two fma2(Two a, Two b, Two c) {
    return {__fmaf_rn(a.x, b.x, c.x), __fmaf_rn(a.y, b.y, c.y)};
}
#endif

__device__ __forceinline__ Two lift(Two u) { return {lift(u.x), lift(u.y)}; }

// ORDER.md 2.1, for LO <= u <= 0.
__device__ __forceinline__ Two exp_softmax(Two u) {
    const Two s = fma2(u, both(LOG2_E), both(MAGIC));
    const Two k = sub2(s, both(MAGIC)), neg_k = {-k.x, -k.y};
    const Two f = fma2(u, both(LOG2_E), neg_k);
    Two q = both(SOFTMAX_0);
    q = fma2(q, f, both(SOFTMAX_1));
    q = fma2(q, f, both(SOFTMAX_2));
    q = fma2(q, f, both(SOFTMAX_3));
    q = fma2(q, f, both(SOFTMAX_4));
    q = fma2(q, f, both(1.0f));
    return {__uint_as_float(__float_as_uint(q.x) + (__float_as_uint(s.x) << 23)),
            __uint_as_float(__float_as_uint(q.y) + (__float_as_uint(s.y) << 23))};
}
__device__ __forceinline__ float exp_softmax(float u) { return exp_softmax(both(u)).x; }

__device__ __forceinline__ float power_of_two(int k) { return __uint_as_float((u32)(k + 127) << 23); }

// ORDER.md 2.2, for every x.
__device__ __forceinline__ float exp_full(float x) {
    float c = select_greater(-104.0f, x);
    c = 89.0f < c ? 89.0f : c;
    const float shifted = __fmaf_rn(c, LOG2_E, MAGIC);
    const float k = __fsub_rn(shifted, MAGIC);
    const float r = __fmaf_rn(k, NEG_LN_2_REST, __fmaf_rn(k, NEG_LN_2, c));
    float q = FULL_0;
    q = __fmaf_rn(q, r, FULL_1);
    q = __fmaf_rn(q, r, FULL_2);
    q = __fmaf_rn(q, r, FULL_3);
    q = __fmaf_rn(q, r, FULL_4);
    q = __fmaf_rn(q, r, 1.0f);
    q = __fmaf_rn(q, r, 1.0f);
    const int i = (int)(__float_as_uint(shifted) - __float_as_uint(MAGIC));
    const int half = i >> 1;
    return __fmul_rn(__fmul_rn(q, power_of_two(half)), power_of_two(i - half));
}

// ORDER.md 2.3, for x > 0.
__device__ __forceinline__ float ln(float x) {
    float k = 0.0f;
    if (x < MIN_POSITIVE) {
        x = __fmul_rn(x, 8388608.0f);
        k = -23.0f;
    }
    const u32 bits = __float_as_uint(x) - TWO_THIRDS;
    k = __fadd_rn(__int2float_rn((int)bits >> 23), k);
    const float f = __fsub_rn(__uint_as_float((bits & 0x7fffffu) + TWO_THIRDS), 1.0f);
    float q = LN_0;
    q = __fmaf_rn(q, f, LN_1);
    q = __fmaf_rn(q, f, LN_2);
    q = __fmaf_rn(q, f, LN_3);
    q = __fmaf_rn(q, f, LN_4);
    q = __fmaf_rn(q, f, LN_5);
    q = __fmaf_rn(q, f, LN_6);
    q = __fmaf_rn(q, f, LN_7);
    q = __fmaf_rn(q, f, LN_8);
    return __fmaf_rn(k, LN_OF_2, __fmaf_rn(k, LN_OF_2_REST, __fmaf_rn(__fmul_rn(f, f), q, f)));
}

// Where the tokens are, as mask.rs has it. Made once a batch, by batch.rs.
struct Rows {
    const u8* valid;       // each slot of the buffer
    const u64* start;      // each row: its first slot
    const u32* length;     // its slots
    const u32* end;        // the slot after its last valid token, from its start
    const u32* tokens;     // its valid tokens
    const u32* first_tile; // its first tile; and that of the row after the last
    u32 b, tiles;
    u32 alike; // the tiles of every row, where all have as many; else 0
};

// A tile of some row: where it begins in the row and in the buffer, and its slots.
struct Tile {
    u32 row, first, n;
    u64 slot;
};

__device__ __forceinline__ Tile tile_at(const Rows& rows, u32 tile) {
    u32 row = 0, after = rows.b; // the last row that begins at this tile or before it; rows without slots have none
    if (rows.alike > 0) {
        row = tile / rows.alike;
        after = row + 1;
    }
    while (after - row > 1) {
        const u32 middle = row + (after - row) / 2;
        if (rows.first_tile[middle] <= tile) row = middle;
        else after = middle;
    }
    Tile of;
    of.row = row;
    of.first = (tile - rows.first_tile[row]) * TILE;
    const u32 left = rows.length[row] - of.first;
    of.n = left < TILE ? left : TILE;
    of.slot = rows.start[row] + of.first;
    return of;
}

// The warp's number in the grid: its tile, or its row.
__device__ __forceinline__ u32 warp_of_grid() { return (blockIdx.x * blockDim.x + threadIdx.x) / 32; }

// What a gradient is multiplied by: ORDER.md 6.4. In one mode the weight is the row's own.
struct Weight {
    float each, sequences, c, half;
    u32 by_row;
};

__device__ __forceinline__ float scale_of(const Weight& weight, const Rows& rows, u32 row) {
    const float tokens = __uint2float_rn(rows.tokens[row]);
    const float w = weight.by_row ? __fdiv_rn(__fdiv_rn(1.0f, tokens), weight.sequences) : weight.each;
    return __fmul_rn(__fmul_rn(w, weight.c), weight.half);
}

// Four numbers of neighbouring slots.
struct Four {
    float x[4];
};

__device__ __forceinline__ bool aligned(const void* x, u32 bytes) { return ((u64)x & (bytes - 1)) == 0; }

// Four in one access; the address is a multiple of 16.
__device__ __forceinline__ Four wide_four(const float* x) {
    const float4 v = __ldcs((const float4*)x);
    return {{v.x, v.y, v.z, v.w}};
}
__device__ __forceinline__ void wide_put(float* to, const Four& f) {
    const float4 v = {f.x[0], f.x[1], f.x[2], f.x[3]};
    __stcs((float4*)to, v);
}

// Four from x on, of which `left` are there: in one load where they are aligned, as rows of a multiple of four slots are.
__device__ __forceinline__ Four four(const float* x, u32 left) {
    if (left >= 4 && aligned(x, 16)) return wide_four(x);
    Four f;
    for (u32 k = 0; k < 4; k++) f.x[k] = k < left ? x[k] : 0.0f;
    return f;
}

// Bit k: whether slot k of the four is there and valid.
__device__ __forceinline__ u32 valid_of(const u8* valid, u32 left) {
    if (left >= 4 && aligned(valid, 4)) {
        const u32 four = __ldcs((const u32*)valid);
        return (four & 1) | (four >> 7 & 2) | (four >> 14 & 4) | (four >> 21 & 8);
    }
    u32 bits = 0;
    for (u32 k = 0; k < 4; k++) bits |= k < left && valid[k] ? 1u << k : 0;
    return bits;
}

// Writes them where there is room for this output.
__device__ __forceinline__ void put(float* to, u64 slot, u32 left, const Four& f) {
    if (to == nullptr) return;
    to += slot;
    if (left >= 4 && aligned(to, 16)) {
        wide_put(to, f);
    } else {
        for (u32 k = 0; k < 4; k++)
            if (k < left) to[k] = f.x[k];
    }
}

// The four lanes of a tile's sum that one lane of the warp has.
struct Lanes {
    float x[4];
};

__device__ __forceinline__ Lanes no_lanes() {
    Lanes lanes = {{0.0f, 0.0f, 0.0f, 0.0f}};
    return lanes;
}

// Adds what is +0 in masked slots. A lane is never -0, so that this is to skip them.
__device__ __forceinline__ void add(Lanes& lanes, const Four& f) {
    for (u32 k = 0; k < 4; k++) lanes.x[k] = __fadd_rn(lanes.x[k], f.x[k]);
}

// The tile's sum, in lane 0: ORDER.md 3, strides 64 to 4 between lanes of the warp, 2 and 1 within one.
__device__ __forceinline__ float fold(Lanes lanes) {
    for (u32 by = 16; by > 0; by /= 2)
        for (u32 k = 0; k < 4; k++) lanes.x[k] = __fadd_rn(lanes.x[k], __shfl_down_sync(WARP, lanes.x[k], by));
    return __fadd_rn(__fadd_rn(lanes.x[0], lanes.x[2]), __fadd_rn(lanes.x[1], lanes.x[3]));
}

// The sum of 32 lanes, in lane 0.
__device__ __forceinline__ float fold_warp(float x) {
    for (u32 by = 16; by > 0; by /= 2) x = __fadd_rn(x, __shfl_down_sync(WARP, x, by));
    return x;
}
// The largest, in every lane; none is NaN. As integers, with the negative ones turned round.
__device__ __forceinline__ float max_warp(float x) {
    int key = (int)__float_as_uint(x);
    key ^= key >> 31 & 0x7fffffff;
    key = __reduce_max_sync(WARP, key);
    return __uint_as_float((u32)(key ^ (key >> 31 & 0x7fffffff)));
}
__device__ __forceinline__ u32 count_warp(u32 n) {
    for (u32 by = 16; by > 0; by /= 2) n += __shfl_down_sync(WARP, n, by);
    return n;
}

// One number a token from two, without a sum: what `each.rs` does. `x` or `y` may be absent; a and b are settings.
struct Each {
    Rows rows;
    const float *x, *y;
    float* out;
    float a, b;
    u32 how;
};

template <class Of> __device__ __forceinline__ void each(const Each& args, const Of& of) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u64 slot = tile.slot + i;
        const u32 left = tile.n - i;
        const Four x = four(args.x + slot, left);
        const Four y = args.y == nullptr ? x : four(args.y + slot, left);
        const u32 valid = valid_of(args.rows.valid + slot, left);
        Four out;
        for (u32 k = 0; k < 4; k++) out.x[k] = valid >> k & 1 ? of(x.x[k], y.x[k]) : 0.0f;
        put(args.out, slot, left, out);
    }
}
