// `eq:kl` and its slope, one a token; and `eq:kl-loss`, their sum with its gradient: 9 bytes read a token, 4 written
// (8 read and 8 written where the gradient is added to another). With k3 some 25 operations.

// The estimators, in the order of the enum.
enum { K1, ABS, K2, K3 };

struct Estimate {
    float clamp_in, clamp_out;
    u32 kind;
};

struct Token {
    float k, slope; // the slope of the estimate itself, +0 strictly beyond a clamp
};

__device__ __forceinline__ Token token(const Estimate& by, float k1) {
    const float within = clamp(k1, -by.clamp_in, by.clamp_in);
    float k = within, slope = 1.0f;
    if (by.kind == ABS) {
        k = fabsf(within);
        slope = k1 == 0.0f ? 0.0f : k1 < 0.0f ? -1.0f : 1.0f;
    } else if (by.kind == K2) {
        k = __fmul_rn(__fmul_rn(within, within), 0.5f);
        slope = k1;
    } else if (by.kind == K3) {
        const float inverse_ratio = exp_full(-within);
        k = __fadd_rn(__fsub_rn(inverse_ratio, 1.0f), within);
        slope = __fsub_rn(1.0f, inverse_ratio);
    }
    if (is_nan(k1)) slope = k1;
    if (fabsf(k1) > by.clamp_in || fabsf(k) > by.clamp_out) slope = 0.0f;
    Token token;
    token.k = clamp(k, -by.clamp_out, by.clamp_out);
    token.slope = slope;
    return token;
}

// a and b are the clamps, how the estimator.
__device__ __forceinline__ Estimate estimate(const Each& args) {
    Estimate by;
    by.clamp_in = args.a;
    by.clamp_out = args.b;
    by.kind = args.how;
    return by;
}

KERNEL(kl, 128, Each) {
    const Estimate by = estimate(args);
    each(args, [&](float logp, float logp_ref) { return token(by, __fsub_rn(logp, logp_ref)).k; });
}

KERNEL(kl_slope, 128, Each) {
    const Estimate by = estimate(args);
    each(args, [&](float logp, float logp_ref) { return token(by, __fsub_rn(logp, logp_ref)).slope; });
}

// Straight through: k1 itself.
KERNEL(kl_straight, 128, Each) {
    each(args, [](float logp, float logp_ref) { return __fsub_rn(logp, logp_ref); });
}

struct KlLoss {
    Rows rows;
    Weight weight;
    Estimate by;
    const float *logp, *logp_ref;
    float* grad; // null where it is not asked for
    float* kl;   // the sum of each tile
    u32 straight, on_top;
};

KERNEL(kl_loss, 128, KlLoss) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    const float scale = scale_of(args.weight, args.rows, tile.row);
    Lanes sum = no_lanes();
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u64 slot = tile.slot + i;
        const u32 left = tile.n - i;
        const Four logp = four(args.logp + slot, left), logp_ref = four(args.logp_ref + slot, left);
        const u32 valid = valid_of(args.rows.valid + slot, left);
        // What stands there, where this is added to it.
        const bool on_top = args.grad != nullptr && args.on_top;
        const Four before = four(on_top ? args.grad + slot : args.logp + slot, left);
        Four kl, grad;
        for (u32 k = 0; k < 4; k++) {
            const bool is_valid = valid >> k & 1;
            const float k1 = __fsub_rn(logp.x[k], logp_ref.x[k]);
            const Token of = token(args.by, k1);
            const float slope = __fmul_rn(args.straight ? k1 : of.slope, scale);
            kl.x[k] = is_valid ? of.k : 0.0f;
            grad.x[k] = !is_valid ? 0.0f : on_top ? __fadd_rn(before.x[k], slope) : slope;
        }
        add(sum, kl);
        put(args.grad, slot, left, grad);
    }
    const float of_tile = fold(sum);
    if (lane() == 0) args.kl[warp] = of_tile;
}
