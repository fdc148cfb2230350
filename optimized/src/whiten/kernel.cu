// The last pass of `eq:whiten`: 5 bytes read a token, 4 written, two operations. The two before it are sums
// (aggregate/kernel.cu), which leave mean and variance on the device.

struct Whiten {
    Each each;       // a is epsilon, how its place
    const float* by; // mean and variance
};

// Where epsilon stands, in the order of the enum.
enum { STD, UNDER_ROOT, VAR_FLOOR };

__device__ __forceinline__ float rstd(const Whiten& args) {
    const float var = args.by[1], eps = args.each.a;
    if (args.each.how == STD) return __fdiv_rn(1.0f, __fadd_rn(__fsqrt_rn(var), eps));
    if (args.each.how == UNDER_ROOT) return __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(var, eps)));
    return __fdiv_rn(1.0f, __fsqrt_rn(greater(var, eps)));
}

KERNEL(whiten, 128, Whiten) {
    const float mean = args.by[0], r = rstd(args);
    each(args.each, [&](float adv, float) { return __fmul_rn(__fsub_rn(adv, mean), r); });
}

KERNEL(whiten_keeping_mean, 128, Whiten) {
    const float mean = args.by[0], r = rstd(args);
    each(args.each, [&](float adv, float) { return __fmaf_rn(__fsub_rn(adv, mean), r, mean); });
}
