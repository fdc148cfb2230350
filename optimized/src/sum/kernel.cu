// From the sums of tiles to one number: ORDER.md 3. 4 bytes a tile read, 4 a row written, read and halved; small beside the
// pass before it. In row_sums a warp has a row: tile t of the row is added on its lane t mod 32, in ascending order, and the
// lanes are folded. In totals a block has a whole sum, since all of it hangs together, or a count.

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

// The tree over the rows, and what a mode makes of it.
struct Tree {
    float* rows;  // the sum of each row; the tree is built in its place
    float* nodes; // the largest complete nodes, in the order of their rows
    float* out;   // (the whole batch's sum / by / then) * factor; null where it is not asked for
    float by, then, factor;
    u32 count; // of nodes
};

struct Count {
    const u32* tiles;
    u32* total;
    float* out; // total / by; null where it is not asked for
    float by;
    u32 n; // of tiles
};

struct Totals {
    u64 first_row; // in the whole batch
    u32 b, trees;
    Tree tree[2];
    Count count[2];
};

const u32 THREADS = 256;

struct Warps {
    u32 count[THREADS / 32];
};

__device__ __forceinline__ void tree_of(const Tree& tree, u64 first_row, u32 b) {
    // The nodes of a level: x[0] to x[n - 1], of which the first has this index in the whole batch.
    float* x = tree.rows;
    u64 index = first_row;
    u32 n = b, front = 0, back = tree.count;
    while (n > 0) {
        // A node without its sibling is complete, and stays as it is.
        if (index & 1) {
            if (threadIdx.x == 0) tree.nodes[front] = x[0];
            front++;
            x++;
            index++;
            n--;
        }
        if (n & 1) {
            back--;
            if (threadIdx.x == 0) tree.nodes[back] = x[n - 1];
            n--;
        }
        // Pairs, a stretch of them at a time: what a stretch writes the ones before it have read, and no later one reads.
        for (u32 at = 0; at < n / 2; at += THREADS) {
            const u32 i = at + threadIdx.x;
            float sum = 0.0f;
            if (i < n / 2) sum = __fadd_rn(x[2 * i], x[2 * i + 1]);
            __syncthreads();
            if (i < n / 2) x[i] = sum;
        }
        __syncthreads();
        index /= 2;
        n /= 2;
    }
    if (threadIdx.x != 0 || tree.out == nullptr) return;
    float sum = 0.0f;
    for (u32 i = tree.count; i-- > 0;) sum = i + 1 == tree.count ? tree.nodes[i] : __fadd_rn(tree.nodes[i], sum);
    sum = __fmul_rn(__fdiv_rn(__fdiv_rn(sum, tree.by), tree.then), tree.factor);
    *tree.out = is_nan(sum) ? NAN_OUT : sum;
}

__device__ __forceinline__ void count_of(const Count& count, Warps& warps) {
    u32 n = 0;
    for (u32 tile = threadIdx.x; tile < count.n; tile += THREADS) n += count.tiles[tile];
    n = count_warp(n);
    if (lane() == 0) warps.count[threadIdx.x / 32] = n;
    __syncthreads();
    if (threadIdx.x != 0) return;
    n = 0;
    for (u32 warp = 0; warp < THREADS / 32; warp++) n += warps.count[warp];
    *count.total = n;
    if (count.out != nullptr) *count.out = __fdiv_rn(__uint2float_rn(n), count.by);
}

KERNEL(totals, 256, Totals) {
    SHARED(Warps);
    if (blockIdx.x < args.trees) {
        const Tree tree = blockIdx.x == 0 ? args.tree[0] : args.tree[1];
        tree_of(tree, args.first_row, args.b);
    } else {
        const Count count = blockIdx.x == args.trees ? args.count[0] : args.count[1];
        count_of(count, shared);
    }
}
