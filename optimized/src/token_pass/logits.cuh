// Logits as they lie in memory, for `kernel.cu` and `grad.cu`. Raw is four of them, as one access takes them at an address
// that is a multiple of WIDE; they are widened where they are used, so that those of bf16 are compared in pairs.

const u32 STEPS = TILE / LANES;

// The largest and the smallest of some logits.
struct Ends {
    float max, min;
};

struct F32 {
    typedef float Number;
    typedef Four Raw;
    static const u32 WIDE = 16;
    static __device__ __forceinline__ float widen(float x) { return x; }
    static __device__ __forceinline__ Raw wide(const float* x) { return wide_four(x); }
    // Four of which `left` are there; one that is missing is -inf.
    static __device__ __forceinline__ Raw some(const float* x, u32 left) {
        Raw raw;
        for (u32 k = 0; k < 4; k++) raw.x[k] = k < left ? x[k] : NEG_INFINITY;
        return raw;
    }
    static __device__ __forceinline__ Two two(const Raw& raw, u32 h) { return {raw.x[2 * h], raw.x[2 * h + 1]}; }
    // Of a lane's part of a tile. The order is free, and a NaN may be dropped: it is in W.
    static __device__ __forceinline__ Ends ends(const Raw* raw) {
        Ends of = {raw[0].x[0], raw[0].x[0]};
#pragma unroll
        for (u32 j = 0; j < STEPS; j++)
#pragma unroll
            for (u32 k = 0; k < 4; k++) of = {fmaxf(of.max, raw[j].x[k]), fminf(of.min, raw[j].x[k])};
        return of;
    }
    static __device__ __forceinline__ void put_wide(float* to, const Four& f) { wide_put(to, f); }
    static __device__ __forceinline__ void put_some(float* to, u32 left, const Four& f) {
        for (u32 k = 0; k < 4; k++)
            if (k < left) to[k] = f.x[k];
    }
};

struct Bf16 {
    typedef u16 Number;
    typedef uint2 Raw;
    static const u32 WIDE = 8;
    static __device__ __forceinline__ float widen(u32 x) { return __uint_as_float(x << 16); }
    static __device__ __forceinline__ Two widen_both(u32 pair) { return {widen(pair), __uint_as_float(pair & 0xffff0000u)}; }
    static __device__ __forceinline__ Raw wide(const u16* x) { return __ldcs((const uint2*)x); }
    static __device__ __forceinline__ Raw some(const u16* x, u32 left) {
        u32 of[4];
        for (u32 k = 0; k < 4; k++) of[k] = k < left ? x[k] : 0xff80u;
        return {of[0] | of[1] << 16, of[2] | of[3] << 16};
    }
    static __device__ __forceinline__ Two two(const Raw& raw, u32 h) { return widen_both(h == 0 ? raw.x : raw.y); }
    static __device__ __forceinline__ Ends ends(const Raw* raw) {
        u32 max = raw[0].x, min = raw[0].x;
#pragma unroll
        for (u32 j = 0; j < STEPS; j++) {
            max = max_bf16x2(max_bf16x2(max, raw[j].x), raw[j].y);
            min = min_bf16x2(min_bf16x2(min, raw[j].x), raw[j].y);
        }
        const Two most = widen_both(max), least = widen_both(min);
        return {fmaxf(most.x, most.y), fminf(least.x, least.y)};
    }
    // To nearest even.
    static __device__ __forceinline__ void put_wide(u16* to, const Four& f) {
        const uint2 v = {narrow_bf16x2(f.x[0], f.x[1]), narrow_bf16x2(f.x[2], f.x[3])};
        __stcs((uint2*)to, v);
    }
    static __device__ __forceinline__ void put_some(u16* to, u32 left, const Four& f) {
        for (u32 k = 0; k < 4; k++)
            if (k < left) to[k] = (u16)narrow_bf16x2(f.x[k], 0.0f);
    }
};
