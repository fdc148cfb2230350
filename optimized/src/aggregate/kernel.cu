// The sums of a batch's tiles behind `eq:aggregate`, and those of squares behind `eq:whiten`: 5 bytes read a token, one
// operation or three.

struct Aggregate {
    Rows rows;
    const float* x;
    float* sum; // of each tile
    float mean;
    u32 squares; // of x - mean
};

KERNEL(aggregate, 128, Aggregate) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    Lanes sum = no_lanes();
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u64 slot = tile.slot + i;
        const u32 left = tile.n - i;
        Four x = four(args.x + slot, left);
        const u32 valid = valid_of(args.rows.valid + slot, left);
        for (u32 k = 0; k < 4; k++) {
            if (args.squares) {
                const float y = __fsub_rn(x.x[k], args.mean);
                x.x[k] = __fmul_rn(y, y);
            }
            if (!(valid >> k & 1)) x.x[k] = 0.0f;
        }
        add(sum, x);
    }
    const float of_tile = fold(sum);
    if (lane() == 0) args.sum[warp] = of_tile;
}
