// `eq:value-clip`, `eq:value-loss` and the slope: 13 bytes read a token, 4 written with the gradient and 4 with the losses;
// some 15 operations a token, so memory bounds it. A warp has a tile of one row, which is what ORDER.md sums first, so a
// pass is one launch and one small one over the rows' tiles (sum/kernel.cu).

struct ValueLoss {
    Rows rows;
    Weight weight;
    const float *v, *v_old, *ret;
    float *per_token, *grad; // null where they are not asked for
    float* loss;             // the sum of each tile
    u32* clipped;            // the clipped tokens of each tile
    float eps_v;
    u32 form;
};

// The forms, in the order of the enum.
enum { MAX, CLIPPED_ONLY, OFF };

struct Token {
    float loss, slope;
    bool clipped; // the clipped error is strictly the larger
};

// ANCHOR: token
__device__ __forceinline__ Token token(float v, float v_old, float ret, float eps_v, u32 form) {
    const float err = __fsub_rn(v, ret);
    const float plain = __fmul_rn(err, err);
    const float v_clip = clamp(v, __fsub_rn(v_old, eps_v), __fadd_rn(v_old, eps_v));
    const float clip_err = __fsub_rn(v_clip, ret);
    const float of_clip = __fmul_rn(clip_err, clip_err);
    const float twice = __fadd_rn(err, err);
    Token token;
    token.clipped = of_clip > plain;
    token.loss = plain;
    token.slope = twice;
    if (form == OFF) return token;
    const bool flat = form == MAX ? token.clipped : v_clip != v;
    if (form == CLIPPED_ONLY || token.clipped || is_nan(of_clip)) token.loss = of_clip;
    if (flat) token.slope = 0.0f;
    if (is_nan(of_clip)) token.slope = of_clip;
    return token;
}
// ANCHOR_END: token

KERNEL(value_loss, 128, ValueLoss) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    const float scale = scale_of(args.weight, args.rows, tile.row);
    Lanes sum = no_lanes();
    u32 clipped = 0;
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u64 slot = tile.slot + i;
        const u32 left = tile.n - i;
        const Four v = four(args.v + slot, left), v_old = four(args.v_old + slot, left);
        const Four ret = four(args.ret + slot, left);
        const u32 valid = valid_of(args.rows.valid + slot, left);
        Four loss, grad;
        for (u32 k = 0; k < 4; k++) {
            const bool is_valid = valid >> k & 1;
            const Token of = token(v.x[k], v_old.x[k], ret.x[k], args.eps_v, args.form);
            loss.x[k] = is_valid ? of.loss : 0.0f;
            grad.x[k] = is_valid ? __fmul_rn(of.slope, scale) : 0.0f;
            clipped += is_valid && of.clipped;
        }
        add(sum, loss);
        put(args.per_token, slot, left, loss);
        put(args.grad, slot, left, grad);
    }
    const float of_tile = fold(sum);
    clipped = count_warp(clipped);
    if (lane() == 0) {
        args.loss[warp] = of_tile;
        args.clipped[warp] = clipped;
    }
}
