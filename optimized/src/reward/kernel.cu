// `eq:score-at` and `eq:shaped-reward`: 5 or 9 bytes read a token, 4 written, one operation or two.

// a is the clip.
KERNEL(clip_scores, 128, Each) {
    each(args, [&](float score, float) { return clamp(score, -args.a, args.a); });
}

// a is -beta.
KERNEL(reward, 128, Each) {
    each(args, [&](float score, float k) { return __fmaf_rn(args.a, k, score); });
}

struct BroadcastScores {
    Rows rows;
    const float* scores; // one a row
    float* out;
    float clip;
};

// Score t at slot t of every row, masked or not: 4 bytes read a token, most of them from a cache, and 4 written.
KERNEL(broadcast_scores, 128, BroadcastScores) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        const u32 left = tile.n - i;
        Four x = four(args.scores + tile.first + i, left);
        for (u32 k = 0; k < 4; k++) x.x[k] = clamp(x.x[k], -args.clip, args.clip);
        put(args.out, tile.slot + i, left, x);
    }
}

struct PlaceScores {
    Rows rows;
    const u32* end;      // by which the score's slot is found: that of the mask, or of what is attended
    const float* scores; // one a row
    float* out;
    float clip;
    u32 first_pad;
};

// Every slot of a row, masked ones too: a score may land in one.
KERNEL(place_scores, 128, PlaceScores) {
    const u32 warp = warp_of_grid();
    if (warp >= args.rows.tiles) return;
    const Tile tile = tile_at(args.rows, warp);
    const u32 end = args.end[tile.row], last = args.rows.length[tile.row] - 1;
    const u32 at = args.first_pad ? (end < last ? end : last) : end - 1; // of no use where end is 0
    const float score = clamp(args.scores[tile.row], -args.clip, args.clip);
    for (u32 i = 4 * lane(); i < tile.n; i += LANES) {
        Four out;
        for (u32 k = 0; k < 4; k++) out.x[k] = end > 0 && tile.first + i + k == at ? score : 0.0f;
        put(args.out, tile.slot + i, tile.n - i, out);
    }
}
