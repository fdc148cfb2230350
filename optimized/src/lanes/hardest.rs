//! The hardest inputs of exp and ln with their results, as bit patterns: what every backend must give, every day.
//!
//! The worst of each function, worst first, were recorded by `exhaustive.rs`, which compares them on each run:
//!
//!     cargo test --release -p ppo-optimized --features oracle exhaustive -- --nocapture

use super::accuracy::{Function, mark};
use crate::{Backend, testing::same};

/// An input and its result.
pub(super) type Case = (u32, u32);

/// How many of the worst inputs of a function are recorded.
#[cfg(feature = "oracle")]
pub(super) const WORST: usize = 32;

/// The sum of the marks of every input of the softmax's exp, of the full exp and of ln.
#[cfg(feature = "oracle")]
pub(super) const ALL: [u64; 3] = [0x8901_4c2d_a7ba_7614, 0xb8aa_3d9a_86d1_a26a, 0xa6d6_5f76_5848_5bad];

/// The same over every 2003rd input.
const SAMPLE: [u64; 3] = [0x2e49_0bdc_4a06_01de, 0x2196_2058_8a24_6761, 0x11e6_f08a_3685_209c];

/// Those that use most of (2.74 + 0.225 |u|) · 2⁻²⁴.
#[rustfmt::skip]
pub(super) const EXP_SOFTMAX: [Case; 32] = [
    (0xc209_0fce, 0x26bd_6afb), (0xc25c_40a2, 0x17bc_ccc5), (0xc292_2c95, 0x0abc_65f6), (0xc224_c713, 0x21bd_e440),
    (0xc27d_84a7, 0x11bd_0da0), (0xc277_fa54, 0x12bc_d2ff), (0xc2a6_f78d, 0x033c_8bd0), (0xc26f_ab9b, 0x143c_5737),
    (0xc28b_3d04, 0x0d3c_ce99), (0xc259_755b, 0x183d_d0d0), (0xc246_0fe9, 0x1bbd_4110), (0xc2a9_bc05, 0x023d_07d8),
    (0xc27d_825b, 0x11bd_7a4e), (0xc1e0_4293, 0x2b3c_65f6), (0xc29e_a174, 0x063e_4da5), (0xc25c_4235, 0x17bc_8286),
    (0xc26c_e21a, 0x14bd_06bf), (0xc200_c0fd, 0x283c_f33d), (0xc16d_c161, 0x34bc_f6ce), (0xc23a_fd56, 0x1dbc_69f3),
    (0xc272_70e4, 0x13bc_6ea6), (0xc2a8_59b7, 0x02bc_d06d), (0xc243_4e8b, 0x1c3c_7099), (0xc2a1_6ba7, 0x053c_ab37),
    (0xc267_5610, 0x15bd_1d22), (0xc2a6_f0e9, 0x033f_01ec), (0xc2a9_b878, 0x023e_589d), (0xc216_e8b3, 0x243e_29ad),
    (0xc2a6_f720, 0x033c_b3f8), (0xc1c4_844f, 0x2dbc_ce99), (0xc216_e978, 0x243e_051b), (0xc289_d94a, 0x0dbd_1d82),
];

/// Those furthest from the truth in units in the last place.
#[rustfmt::skip]
pub(super) const EXP_FULL: [Case; 32] = [
    (0xc0bb_2813, 0x3b3c_fe5a), (0x40a6_5f09, 0x4335_1bff), (0x4243_762e, 0x62b4_c10b), (0x41d5_c2e7, 0x52bb_47aa),
    (0x41d5_ac3d, 0x52b9_3806), (0xc0bb_5c1d, 0x3b3b_cbfb), (0x40a6_60a5, 0x4335_251b), (0xc28e_0bb9, 0x0c39_8b5b),
    (0x41d5_dc02, 0x52bd_9700), (0x417a_2e5e, 0x4abc_80b1), (0xc0bb_6716, 0x3b3b_8ba1), (0xc182_5355, 0x33b4_b4d0),
    (0x4243_784b, 0x62b5_20a5), (0xc0bb_7015, 0x3b3b_56ef), (0xc1d5_ae6e, 0x2c30_b9d1), (0xc0bb_849d, 0x3b3a_dee3),
    (0x4240_c87a, 0x6239_0e0f), (0xc0bb_b819, 0x3b39_b32d), (0x41d5_cc53, 0x52bc_24bd), (0x41d5_bd36, 0x52ba_c29d),
    (0x4091_112e, 0x42ba_239c), (0x41d5_cccc, 0x52bc_2fdb), (0xc0a6_6f79, 0x3bb4_9112), (0x40a6_6a31, 0x4335_5b2e),
    (0x426f_d034, 0x6ab4_5036), (0x4219_e1d7, 0x5b35_2dab), (0x4182_5039, 0x4b35_0ecd), (0x41d5_f52e, 0x52bf_ef39),
    (0xc28c_b59f, 0x0cb4_f784), (0xc0bb_9668, 0x3b3a_7718), (0xc0a6_7394, 0x3bb4_79e9), (0xc0bb_7e76, 0x3b3b_02d4),
];

/// Those furthest from the truth in units in the last place.
#[rustfmt::skip]
pub(super) const LN: [Case; 32] = [
    (0x3f22_ba71, 0xbee7_fc26), (0x3f23_642a, 0xbee5_e73a), (0x3f23_5e1f, 0xbee5_fa2a), (0x3f21_c40f, 0xbeeb_05a8),
    (0x3f22_3d41, 0xbee9_86a0), (0x3f23_781a, 0xbee5_a8c4), (0x3f22_bf25, 0xbee7_ed5a), (0x3f22_0cd2, 0xbeea_1f90),
    (0x3f22_a4ea, 0xbee8_3fe6), (0x3f23_50da, 0xbee6_23c2), (0x3f21_eecb, 0xbeea_7e78), (0x3f21_e1a7, 0xbeea_a806),
    (0x3f22_8210, 0xbee8_ada8), (0x3f22_740e, 0xbee8_d9cc), (0x402a_d199, 0x3f7b_5200), (0x402a_d98f, 0x3f7b_5dee),
    (0x3f21_befa, 0xbeeb_15be), (0x3f21_62b9, 0xbeec_3a18), (0x3f23_3007, 0xbee6_8ab4), (0x3f21_4dcf, 0xbeec_7c76),
    (0x3f23_458c, 0xbee6_4734), (0x3f22_8d2b, 0xbee8_8aac), (0x3f22_462c, 0xbee9_6a7c), (0x3f22_45b8, 0xbee9_6bea),
    (0x3f23_1c38, 0xbee6_c8de), (0x402b_136e, 0x3f7b_b496), (0x3f23_cbbb, 0xbee4_a318), (0x3f21_7a13, 0xbeeb_f008),
    (0x3f24_45f2, 0xbee3_25a0), (0x3f24_43f9, 0xbee3_2bc6), (0x3f21_faae, 0xbeea_58e4), (0x3f22_2c0e, 0xbee9_bcea),
];

/// Zeros, the least |u|, a step of the exponent, and both ends.
#[rustfmt::skip]
pub(super) const EXP_SOFTMAX_ENDS: [Case; 11] = [
    (0x0000_0000, 0x3f80_0000), (0x8000_0000, 0x3f80_0000), (0x8000_0001, 0x3f80_0000), (0xb300_0000, 0x3f80_0000),
    (0xb300_0001, 0x3f80_0000), (0xbeb1_7217, 0x3f35_04f3), (0xbeb1_7218, 0x3f35_04f2), (0xbeb1_7219, 0x3f35_04f2),
    (0xbf80_0000, 0x3ebc_5ab3), (0xc2ad_496a, 0x0100_0064), (0xc2ad_496b, 0x0100_0024),
];

/// Zeros, subnormal arguments, the last finite and the first infinite result, the first subnormal ones, the last
/// that is not 0, where the argument is clamped, infinities and NaNs.
#[rustfmt::skip]
pub(super) const EXP_FULL_ENDS: [Case; 28] = [
    (0x0000_0000, 0x3f80_0000), (0x8000_0000, 0x3f80_0000), (0x0000_0001, 0x3f80_0000), (0x8000_0001, 0x3f80_0000),
    (0x007f_ffff, 0x3f80_0000), (0x3f80_0000, 0x402d_f854), (0xbf80_0000, 0x3ebc_5ab2), (0x42b1_7217, 0x7f7f_ff84),
    (0x42b1_7218, 0x7f80_0000), (0x42b2_0000, 0x7f80_0000), (0x42b2_0001, 0x7f80_0000), (0xc2ae_ac4f, 0x0080_0026),
    (0xc2ae_ac50, 0x007f_ffe6), (0xc2ae_ac51, 0x007f_ffa6), (0xc2cf_f1b3, 0x0000_0001), (0xc2cf_f1b4, 0x0000_0001),
    (0xc2cf_f1b5, 0x0000_0000), (0xc2cf_f1b6, 0x0000_0000), (0xc2d0_0000, 0x0000_0000), (0xc2d0_0001, 0x0000_0000),
    (0x7f7f_ffff, 0x7f80_0000), (0xff7f_ffff, 0x0000_0000), (0x7f80_0000, 0x7f80_0000), (0xff80_0000, 0x0000_0000),
    (0x7fc0_0000, 0x7fc0_0000), (0xffc0_0000, 0x7fc0_0000), (0x7f80_0001, 0x7fc0_0000), (0xffff_ffff, 0x7fc0_0000),
];

/// Subnormal arguments, where the exponent steps, around 1, the largest sum a row can have, the largest f32.
#[rustfmt::skip]
pub(super) const LN_ENDS: [Case; 14] = [
    (0x0000_0001, 0xc2ce_8ed0), (0x007f_ffff, 0xc2ae_ac50), (0x0080_0000, 0xc2ae_ac50), (0x0080_0001, 0xc2ae_ac50),
    (0x3f2a_aaaa, 0xbecf_9922), (0x3f2a_aaab, 0xbecf_991e), (0x3f7f_ffff, 0xb380_0000), (0x3f80_0000, 0x0000_0000),
    (0x3f80_0001, 0x33ff_ffff), (0x3faa_aaaa, 0x3e93_4b0e), (0x3faa_aaab, 0x3e93_4b12), (0x4000_0000, 0x3f31_7218),
    (0x4900_0000, 0x4152_b77c), (0x7f7f_ffff, 0x42b1_7218),
];

/// Every case of a function.
struct Cases {
    function: Function,
    recorded: Vec<Case>,
    /// The function in f64, within one unit in the last place.
    truth: fn(f64) -> f64,
}

fn cases() -> [Cases; 3] {
    let of = |function, worst: &[Case], ends: &[Case], truth| {
        let recorded = [worst, ends].concat();
        Cases { function, recorded, truth }
    };
    [
        of(Function::ExpSoftmax, &EXP_SOFTMAX, &EXP_SOFTMAX_ENDS, libm::exp as fn(f64) -> f64),
        of(Function::ExpFull, &EXP_FULL, &EXP_FULL_ENDS, libm::exp),
        of(Function::Ln, &LN, &LN_ENDS, libm::log),
    ]
}

#[test]
fn the_hardest_inputs_have_their_recorded_bits_on_every_backend() {
    for Cases { function, recorded, .. } in cases() {
        let x: Vec<f32> = recorded.iter().map(|(x, _)| f32::from_bits(*x)).collect();
        for on in Backend::with("lanes") {
            let mut together = vec![0.0; x.len()];
            function.run(on, &x, &mut together);
            for (i, (x, want)) in recorded.iter().enumerate() {
                let mut alone = [0.0];
                function.run(on, &[f32::from_bits(*x)], &mut alone);
                for got in [together[i], alone[0]] {
                    assert!(
                        same(got, f32::from_bits(*want)),
                        "{function:?}({x:#010x}) is {:#010x} on {on}, recorded {want:#010x}",
                        got.to_bits()
                    );
                }
            }
        }
    }
}

/// A coefficient's last bit may change one result in a million and none of the hardest.
#[test]
fn a_sample_of_the_inputs_has_its_recorded_bits_on_every_backend() {
    for on in Backend::with("lanes") {
        let marks = cases().map(|Cases { function, .. }| {
            let patterns = function.patterns().into_iter().flat_map(|patterns| patterns.step_by(2003));
            let x: Vec<f32> = patterns.map(f32::from_bits).collect();
            let mut got = vec![0.0; x.len()];
            function.run(on, &x, &mut got);
            x.iter().zip(got).fold(0u64, |sum, (x, got)| sum.wrapping_add(mark(*x, got)))
        });
        assert_eq!(marks, SAMPLE, "{on}: {marks:#018x?}");
    }
}

#[test]
fn the_hardest_inputs_are_within_the_bound() {
    for Cases { function, recorded, truth } in cases() {
        for (x, got) in recorded {
            let (x, got) = (f32::from_bits(x), f32::from_bits(got));
            let error = function.error(x, got, truth(f64::from(x)));
            assert!(error < function.bound(x), "{function:?}({x:e}) = {got:e} is off by {error}");
        }
    }
}
