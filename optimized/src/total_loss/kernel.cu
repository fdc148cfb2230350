// `eq:total-loss` of four numbers on the device: one thread, so that nothing waits for the host.

struct TotalLoss {
    const float *policy, *value, *ent; // what has a coefficient of 0 may be null
    const float* kl;                   // null: +0
    float* out;
    float c_v, minus_c_h, beta;
};

KERNEL(total_loss, 32, TotalLoss) {
    if (threadIdx.x != 0) return;
    float sum = *args.policy;
    if (args.c_v != 0.0f) sum = __fmaf_rn(args.c_v, *args.value, sum);
    if (args.minus_c_h != 0.0f) sum = __fmaf_rn(args.minus_c_h, *args.ent, sum);
    if (args.beta != 0.0f) sum = __fmaf_rn(args.beta, args.kl == nullptr ? 0.0f : *args.kl, sum);
    *args.out = is_nan(sum) ? NAN_OUT : sum;
}
