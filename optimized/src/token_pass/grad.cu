// The gradient of what `kernel.cu` computes, in one read of the logits and one write: 8 bytes a logit (bf16: 4) and some 22
// instructions, so both formats are bound by memory. From sm_100 on it is 16, two logits at a time.

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
    return {max, ln_sum, -__fmaf_rn(g_ent, ent, g_logp), -g_ent, inv_tau};
}

struct Token {
    Softmax p, h; // h is used where the entropy has a temperature of its own
    bool two;
    u32 action;
    float g_logp;
};

// dx of two logits. Number `a` is the action's, if it is one of them; to that g_logp is added. PLAIN: the temperature is 1. Else
// x · 1 is x.
template <bool PLAIN>
__device__ __forceinline__ Two slope(const Softmax& of, Two x, u32 a, float g_logp) {
    if (!PLAIN) x = mul2(x, both(of.inv_tau));
    const Two lp = lift(sub2(sub2(x, both(of.max)), both(of.ln_sum)));
    const Two e = exp_softmax(lp);
    const Two p = {lp.x == LO ? 0.0f : e.x, lp.y == LO ? 0.0f : e.y};
    Two dx = mul2(p, fma2(both(of.neg_g_ent), lp, both(of.c)));
    if (a == 0) dx.x = __fadd_rn(dx.x, g_logp);
    if (a == 1) dx.y = __fadd_rn(dx.y, g_logp);
    return PLAIN ? dx : mul2(dx, both(of.inv_tau));
}

// Of the four from i on. PLAIN: both temperatures are 1.
template <bool PLAIN, class X>
__device__ __forceinline__ Four slopes(const Token& token, const typename X::Raw& raw, u32 i) {
    Four four;
    for (u32 h = 0; h < 2; h++) {
        const Two x = X::two(raw, h);
        const u32 a = token.action - i - 2 * h;
        Two dx = slope<PLAIN>(token.p, x, a, token.g_logp);
        if (!PLAIN && token.two) dx = add2(dx, slope<PLAIN>(token.h, x, a, 0.0f));
        four.x[2 * h] = dx.x;
        four.x[2 * h + 1] = dx.y;
    }
    return four;
}

template <class X> __device__ __forceinline__ void backward(const Backward& args) {
    const u32 slot = args.slots == nullptr ? blockIdx.x : args.slots[blockIdx.x];
    const typename X::Number* x = (const typename X::Number*)args.logits + slot * args.stride;
    typename X::Number* to = (typename X::Number*)args.grad + slot * args.grad_stride;
    // A row that lies across wide accesses is read and written logit by logit.
    const u32 step = 4 * blockDim.x, wide = aligned(x, X::WIDE) && aligned(to, X::WIDE) ? args.vocab / 4 * 4 : 0;
    u32 i = 4 * threadIdx.x;
    if (!args.valid[slot]) {
        const Four none = {{0.0f, 0.0f, 0.0f, 0.0f}};
        for (; i < wide; i += step) X::put_wide(to + i, none);
        for (; i < args.vocab; i += step) X::put_some(to + i, args.vocab - i, none);
        return;
    }
    const float g_logp = args.g_logp[slot], g_ent = args.g_ent[slot], ent = args.ent[slot];
    const float max = args.max[slot], ln_sum = args.ln_sum[slot];
    Token token;
    token.two = args.two;
    token.action = args.actions[slot];
    token.g_logp = g_logp;
    if (token.two) {
        token.p = softmax(max, ln_sum, g_logp, 0.0f, 0.0f, args.inv_tau);
        token.h = softmax(args.max_ent[slot], args.ln_sum_ent[slot], 0.0f, g_ent, ent, args.inv_tau_ent);
    } else {
        token.h = token.p = softmax(max, ln_sum, g_logp, g_ent, ent, args.inv_tau);
    }
    const u32 plain = token.two || args.inv_tau != 1.0f ? 0 : wide;
    for (; i < plain; i += step) X::put_wide(to + i, slopes<true, X>(token, X::wide(x + i), i));
    for (; i < args.vocab; i += step) {
        const u32 left = args.vocab - i;
        const Four four = slopes<false, X>(token, i < wide ? X::wide(x + i) : X::some(x + i, left), i);
        if (i < wide) X::put_wide(to + i, four);
        else X::put_some(to + i, left, four);
    }
}

// Threads that a multiprocessor is to hold: as many as have their registers without a spill, to hide the delay of the memory.
#if __CUDA_ARCH__ >= 1000
#define HELD 1536
#else
#define HELD 2048
#endif

KERNEL(token_pass_grad_f32, 256, Backward, HELD) { backward<F32>(args); }
KERNEL(token_pass_grad_bf16, 256, Backward, HELD) { backward<Bf16>(args); }
