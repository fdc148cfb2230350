// The sums of a batch's tiles behind `eq:aggregate`, and those of squares behind `eq:whiten`: 5 bytes read a token, one
// operation or three. And the weight of each token in an aggregate: 1 byte read, 4 written.

struct Aggregate {
    Rows rows;
    const float* x;
    float* sum;        // of each tile
    const float* mean; // null, or of the squares of x - mean
};

KERNEL(aggregate, 128, Aggregate) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    const bool squares = args.mean != nullptr;
    const float mean = squares ? *args.mean : 0.0f;
    Lanes sum = no_lanes();
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u64 slot = tile.slot + i;
        const u32 left = tile.n - i;
        Four x = four(args.x + slot, left);
        const u32 valid = valid_of(args.rows.valid + slot, left);
        for (u32 k = 0; k < 4; k++) {
            if (squares) {
                const float y = __fsub_rn(x.x[k], mean);
                x.x[k] = __fmul_rn(y, y);
            }
            if (!(valid >> k & 1)) x.x[k] = 0.0f;
        }
        add(sum, x);
    }
    const float of_tile = fold(sum);
    if (lane() == 0) args.sum[warp] = of_tile;
}

struct AggregateGrad {
    Rows rows;
    Weight weight;
    float* out;
};

KERNEL(aggregate_grad, 128, AggregateGrad) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    const float scale = args.weight.c == 0.0f ? 0.0f : scale_of(args.weight, args.rows, tile.row);
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u64 slot = tile.slot + i;
        const u32 left = tile.n - i;
        const u32 valid = valid_of(args.rows.valid + slot, left);
        Four out;
        for (u32 k = 0; k < 4; k++) out.x[k] = valid >> k & 1 ? scale : 0.0f;
        put(args.out, slot, left, out);
    }
}
