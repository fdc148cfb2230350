// exp and ln alone, for the tests of their bits.

struct Function {
    const float* x;
    float* out;
    u32 n, which;
};

enum { EXP_SOFTMAX, EXP_FULL, LN };

KERNEL(function, 128, Function) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= args.n) return;
    const float x = args.x[i];
    args.out[i] = args.which == EXP_SOFTMAX ? exp_softmax(x) : args.which == EXP_FULL ? exp_full(x) : ln(x);
}
