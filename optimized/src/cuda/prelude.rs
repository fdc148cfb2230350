//! The text that stands before every kernel: the constants of the Rust source, by name, and what CUDA and its emulation
//! say differently. `build.rs` compiles this file too, so that there is one list of constants and of kernels.

use crate::lanes::{self, LANES, LO, ROW_LANES, TILE};
use std::fmt::Write;

/// Every `kernel.cu`, by the stem of its term, with what stands beside it.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("lanes", include_str!("../lanes/kernel.cu")),
    ("sum", include_str!("../sum/kernel.cu")),
    ("each", include_str!("../each/kernel.cu")),
    ("kl", include_str!("../kl/kernel.cu")),
    ("reward", include_str!("../reward/kernel.cu")),
    ("gae", include_str!("../gae/kernel.cu")),
    ("whiten", include_str!("../whiten/kernel.cu")),
    ("returns", include_str!("../returns/kernel.cu")),
    ("policy_loss", include_str!("../policy_loss/kernel.cu")),
    ("value_loss", include_str!("../value_loss/kernel.cu")),
    (
        "token_pass",
        concat!(
            include_str!("../token_pass/logits.cuh"),
            include_str!("../token_pass/kernel.cu"),
            include_str!("../token_pass/grad.cu")
        ),
    ),
    ("aggregate", include_str!("../aggregate/kernel.cu")),
    ("total_loss", include_str!("../total_loss/kernel.cu")),
];

/// The device twin of `lanes/`.
pub(crate) const LANES_CUH: &str = include_str!("lanes.cuh");

/// What nvcc's C++ has no word for, and the emulation's header has. Of the registers a thread may have 128, with which 512
/// threads share a multiprocessor, or what a kernel says: left to itself ptxas gives fewer to some, and spills.
pub(crate) const CUDA: &str = r#"
#define KERNEL(name, threads, Args, ...) \
    extern "C" __global__ void __launch_bounds__(threads, held(__VA_ARGS__) / threads) name(const Args args)
__device__ constexpr u32 held(u32 threads = 512) { return threads; }
#define SHARED(Shared) __shared__ Shared shared
__device__ __forceinline__ float max_nan(float a, float b) {
    float greater;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(greater) : "f"(a), "f"(b));
    return greater;
}
__device__ __forceinline__ u32 max_bf16x2(u32 a, u32 b) {
    u32 greater;
    asm("max.bf16x2 %0, %1, %2;" : "=r"(greater) : "r"(a), "r"(b));
    return greater;
}
__device__ __forceinline__ u32 min_bf16x2(u32 a, u32 b) {
    u32 lesser;
    asm("min.bf16x2 %0, %1, %2;" : "=r"(lesser) : "r"(a), "r"(b));
    return lesser;
}
__device__ __forceinline__ u32 narrow_bf16x2(float low, float high) {
    u32 rounded;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(rounded) : "f"(high), "f"(low));
    return rounded;
}
"#;

/// The constants, each a macro: a float by its bits.
pub(crate) fn constants() -> String {
    let mut text = String::from(
        "typedef unsigned char u8;\ntypedef unsigned short u16;\ntypedef unsigned u32;\ntypedef unsigned long long u64;\n",
    );
    let mut float = |name: &str, x: f32| {
        writeln!(text, "#define {name} __uint_as_float({:#010x}u)", x.to_bits()).expect("a String takes all");
    };
    float("LO", LO);
    float("LOG2_E", lanes::LOG2_E);
    float("MAGIC", lanes::MAGIC);
    float("NEG_LN_2", lanes::NEG_LN_2);
    float("NEG_LN_2_REST", lanes::NEG_LN_2_REST);
    float("LN_OF_2", lanes::LN_2);
    float("LN_OF_2_REST", lanes::LN_2_REST);
    float("MIN_POSITIVE", f32::MIN_POSITIVE);
    float("LEAST", -f32::MAX);
    float("NEG_INFINITY", f32::NEG_INFINITY);
    float("NAN_OUT", lanes::NAN);
    for (name, coefficients) in
        [("SOFTMAX", &lanes::SOFTMAX[..]), ("FULL", &lanes::FULL), ("LN", &lanes::POLYNOMIAL)]
    {
        for (power, coefficient) in coefficients.iter().enumerate() {
            float(&format!("{name}_{power}"), *coefficient);
        }
    }
    let whole = [
        ("WARP", 0xffff_ffff),
        ("LANES", LANES as u32),
        ("TILE", TILE as u32),
        ("ROW_LANES", ROW_LANES as u32),
        ("TWO_THIRDS", lanes::TWO_THIRDS),
    ];
    for (name, x) in whole {
        writeln!(text, "#define {name} {x:#x}u").expect("a String takes all");
    }
    text
}

/// The whole text of a stem's kernels, as NVRTC compiles it.
pub(crate) fn text(stem: &str) -> Option<String> {
    let (_, source) = SOURCES.iter().find(|(of, _)| *of == stem)?;
    Some(format!("{}{CUDA}{LANES_CUH}{source}", constants()))
}

/// The threads of a block, which stand in the text.
pub(crate) fn threads(stem: &str, kernel: &str) -> Option<u32> {
    let (_, source) = SOURCES.iter().find(|(of, _)| *of == stem)?;
    let (_, after) = source.split_once(&format!("KERNEL({kernel}, "))?;
    after.split_once(',')?.0.parse().ok()
}

/// Refuses PTX in which an operation flushes subnormals, is approximate, or has no rounding of its own, so that ptxas
/// might fuse it.
pub(crate) fn check_ptx(ptx: &str) -> Result<(), String> {
    let unrounded = ["add.f32", "sub.f32", "mul.f32", "fma.f32", "div.f32", "sqrt.f32", "mad.f32"];
    let wrong = |line: &&str| {
        line.contains(".ftz") || line.contains(".approx") || unrounded.iter().any(|op| line.contains(op))
    };
    match ptx.lines().find(wrong) {
        Some(line) => Err(format!("not the operation that is written: `{}`", line.trim())),
        None => Ok(()),
    }
}
