// `eq:ratio`, `eq:policy-loss` and the slope: 13 bytes read a token (17 with weights), 4 written with the gradient and 4 for
// each other output; some 45 operations a token, of which exp has 18, so memory bounds it. A warp has a tile, as in
// value_loss/kernel.cu.

struct PolicyLoss {
    Rows rows;
    Weight weight;
    const float *logp, *logp_old, *adv;
    const float* weights;             // null where every token weighs the same
    float *per_token, *ratio, *grad;  // null where they are not asked for
    float *loss, *kl;                 // the sums of each tile
    u32 *clipped, *lower;             // what is counted in each tile
    float lo, hi, c_dual, log_ratio_clamp;
    u32 clip_frac, kl_kind, kl_clamped;
};

// The choices, in the order of their enums.
enum { EFFECTIVE, SIGN_BLIND, SIGNED };
enum { K1, ABS, K2, K3 };

struct Token {
    float loss, ratio, slope, kl;
    bool clipped, dual;
};

__device__ __forceinline__ Token token(float logp, float logp_old, float adv, const PolicyLoss& args) {
    const float bound = args.log_ratio_clamp;
    const float log_ratio = __fsub_rn(logp, logp_old);
    const bool clamped = fabsf(log_ratio) > bound;
    const float within = clamp(log_ratio, -bound, bound);
    Token token;
    token.ratio = exp_full(within);
    const float surrogate = __fmul_rn(token.ratio, adv);
    const float clipped_surrogate = __fmul_rn(clamp(token.ratio, args.lo, args.hi), adv);
    const bool clipped = clipped_surrogate < surrogate;
    token.loss = -lesser(surrogate, clipped_surrogate);
    const float worst = -__fmul_rn(adv, args.c_dual);
    token.dual = adv < 0.0f && worst < token.loss;
    if (token.dual) token.loss = worst;
    const bool flat = clipped || token.dual || clamped;
    token.slope = flat && !is_nan(surrogate) ? 0.0f : -surrogate;

    const float k1 = args.kl_clamped ? -within : -log_ratio;
    token.kl = k1;
    if (args.kl_kind == ABS) token.kl = fabsf(k1);
    if (args.kl_kind == K2) token.kl = __fmul_rn(__fmul_rn(k1, k1), 0.5f);
    if (args.kl_kind == K3) token.kl = __fadd_rn(__fsub_rn(exp_full(-k1), 1.0f), k1);

    const bool below = token.ratio < args.lo, above = token.ratio > args.hi;
    token.clipped = clipped;
    if (args.clip_frac == SIGN_BLIND) token.clipped = below || above;
    if (args.clip_frac == SIGNED) token.clipped = (below && adv < 0.0f) || (above && adv > 0.0f);
    return token;
}

KERNEL(policy_loss, 128, PolicyLoss) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    const float scale = scale_of(args.weight, args.rows, tile.row);
    Lanes of_loss = no_lanes(), of_kl = no_lanes();
    u32 clipped = 0, lower = 0;
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u64 slot = tile.slot + i;
        const u32 left = tile.n - i;
        const Four logp = four(args.logp + slot, left), logp_old = four(args.logp_old + slot, left);
        const Four adv = four(args.adv + slot, left);
        const bool weighted = args.weights != nullptr;
        const Four weights = four(weighted ? args.weights + slot : args.adv + slot, left);
        const u32 valid = valid_of(args.rows.valid + slot, left);
        Four loss, kl, ratio, grad;
        for (u32 k = 0; k < 4; k++) {
            const bool is_valid = valid >> k & 1;
            Token of = token(logp.x[k], logp_old.x[k], adv.x[k], args);
            float slope = __fmul_rn(of.slope, scale);
            if (weighted) {
                of.loss = __fmul_rn(of.loss, weights.x[k]);
                slope = __fmul_rn(slope, weights.x[k]);
            }
            loss.x[k] = is_valid ? of.loss : 0.0f;
            kl.x[k] = is_valid ? of.kl : 0.0f;
            ratio.x[k] = is_valid ? of.ratio : 0.0f;
            grad.x[k] = is_valid ? slope : 0.0f;
            clipped += is_valid && of.clipped;
            lower += is_valid && of.dual;
        }
        add(of_loss, loss);
        add(of_kl, kl);
        put(args.per_token, slot, left, loss);
        put(args.ratio, slot, left, ratio);
        put(args.grad, slot, left, grad);
    }
    const float loss = fold(of_loss), kl = fold(of_kl);
    clipped = count_warp(clipped);
    lower = count_warp(lower);
    if (lane() == 0) {
        args.loss[warp] = loss;
        args.kl[warp] = kl;
        args.clipped[warp] = clipped;
        args.lower[warp] = lower;
    }
}
