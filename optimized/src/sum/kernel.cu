// A row's sum from those of its tiles: ORDER.md 3. 4 bytes a tile read, 4 a row written; nothing beside the pass before it.
// A warp has a row: tile t of the row is added on its lane t mod 32, in ascending order, and the lanes are folded.

struct RowSums {
    Rows rows;
    const float* tiles; // the sum of each tile
    float* sums;        // the sum of each row; its mean where that is asked for
    u32 mean;
};

KERNEL(row_sums, 128, RowSums) {
    const u32 row = warp_of_grid();
    if (row >= args.rows.b) return;
    const u32 first = args.rows.first_tile[row], after = args.rows.first_tile[row + 1];
    float sum = 0.0f;
    for (u32 tile = first + lane(); tile < after; tile += ROW_LANES) sum = __fadd_rn(sum, args.tiles[tile]);
    sum = fold_warp(sum);
    const u32 tokens = args.rows.tokens[row];
    if (args.mean && tokens > 0) sum = __fdiv_rn(sum, __uint2float_rn(tokens));
    if (lane() == 0) args.sums[row] = sum;
}
