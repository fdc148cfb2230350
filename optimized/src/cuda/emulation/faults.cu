// Kernels that are wrong on purpose: what the emulation must say of each.

struct Fault {
    float* out;
};

KERNEL(barrier_of_some, 64, Fault) {
    if (threadIdx.x < 40) __syncthreads();
}

KERNEL(shuffle_of_some, 64, Fault) {
    if (threadIdx.x != 37) args.out[threadIdx.x] = __shfl_down_sync(WARP, 1.0f, 1);
}

KERNEL(two_shuffles, 32, Fault) {
    float x = 1.0f;
    if (threadIdx.x < 8) x = __shfl_down_sync(WARP, x, 1);
    else x = __shfl_down_sync(WARP, x, 2);
    args.out[threadIdx.x] = x;
}

KERNEL(barrier_of_a_warp, 64, Fault) {
    if (threadIdx.x < 32) __syncthreads();
    else __syncwarp();
}

struct Much {
    float x[12289];
};

KERNEL(much_shared, 32, Fault) {
    SHARED(Much);
    args.out[threadIdx.x] = shared.x[0];
}

struct Block {
    float x[64];
};

// Reads what another thread wrote, with no barrier between: from launch to launch another half is too early.
KERNEL(no_barrier, 64, Fault) {
    SHARED(Block);
    shared.x[threadIdx.x] = (float)threadIdx.x;
    args.out[threadIdx.x] = shared.x[63 - threadIdx.x];
}

KERNEL(with_barrier, 64, Fault) {
    SHARED(Block);
    shared.x[threadIdx.x] = (float)threadIdx.x;
    __syncthreads();
    args.out[threadIdx.x] = shared.x[63 - threadIdx.x];
}
