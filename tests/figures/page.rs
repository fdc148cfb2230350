//! The contract of verl's page `compute_value_loss`, sentence by sentence.
//!
//! Where the function is used (GAE only, not GRPO) and on which lines of verl it stands are matters of fact
//! and have no test.

use crate::printed::exactly;
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Agg,
    CountRows::{All, WithTokens},
    Half, Mask, Settings, ValueClip,
    value_loss::value_loss,
};

/// The page's signature, in the page's order, over ours. "vf_loss", "vf_clipfrac".
fn compute_value_loss(
    vpreds: &DMatrix<f64>,
    returns: &DMatrix<f64>,
    values: &DMatrix<f64>,
    response_mask: &Mask,
    cliprange_value: f64,
    loss_agg_mode: Agg,
) -> (f64, f64) {
    let (form, agg) = (ValueClip::Max, loss_agg_mode);
    let got = value_loss(vpreds, values, returns, response_mask, cliprange_value, form, agg, Half::Yes);
    (got.loss, got.clip_frac)
}

/// Every aggregation mode that divides its sum once, with the number that it divides 3, 1 valid tokens by.
const MODES: [(Agg, f64); 6] = [
    (Agg::TokenMean, 4.0),
    (Agg::TokenSum, 1.0),
    (Agg::SeqMeanTokenSum { rows: WithTokens }, 2.0),
    (Agg::SeqMeanTokenSum { rows: All }, 3.0),
    (Agg::SeqMeanTokenSumNorm { rows: WithTokens, scale: 4.0 }, 8.0),
    (Agg::TokenSumNorm { scale: 4.0 }, 4.0),
];

struct Tokens {
    vpreds: DMatrix<f64>,
    returns: DMatrix<f64>,
    values: DMatrix<f64>,
    mask: Mask,
}

/// ε = ¼. Errors squared, plain and clipped, the larger in brackets:
/// V = ¾ from ¼ towards 1: 1/16, \[1/4\]. V = −¾ from 0, R = 1: \[49/16\], 25/16. V = ½ from ½, R = ¼:
/// 1/16, a tie. Second row: V = 2 from 1 towards 3: 1, \[49/16\]. The third row has no tokens.
fn tokens() -> Tokens {
    let junk = f64::NAN;
    Tokens {
        vpreds: dmatrix![0.75, -0.75, 0.5; 2.0, junk, junk; junk, junk, junk],
        returns: dmatrix![1.0, 1.0, 0.25; 3.0, junk, junk; junk, junk, junk],
        values: dmatrix![0.25, 0.0, 0.5; 1.0, junk, junk; junk, junk, junk],
        mask: Mask::from_rows(&[[1, 1, 1], [1, 0, 0], [0, 0, 0]]),
    }
}

/// 1/4 + 49/16 + 1/16 + 49/16.
const SUM: f64 = 103.0 / 16.0;

/// "It clips the current value predictions to be within a range of the old baseline values (controlled by
/// cliprange_value), then takes the maximum of the clipped and unclipped squared errors against the target
/// returns. The final loss is 0.5 times the aggregated maximum of these two losses."
#[test]
fn the_loss_is_half_of_the_aggregated_maximum() {
    let Tokens { vpreds, returns, values, mask } = tokens();
    for (mode, divisor) in MODES {
        let (loss, _) = compute_value_loss(&vpreds, &returns, &values, &mask, 0.25, mode);
        exactly(loss, 0.5 * SUM / divisor);
    }
    // The mean of row means has no common divisor: (54/16 / 3 + 49/16) / 2.
    let per_row = Agg::SeqMeanTokenMean { rows: WithTokens };
    let (loss, _) = compute_value_loss(&vpreds, &returns, &values, &mask, 0.25, per_row);
    exactly(loss, 0.5 * (18.0 / 16.0 + 49.0 / 16.0) / 2.0);
}

/// "cliprange_value (float): clip range for value prediction updates": it decides which error counts.
#[test]
fn the_clip_range_controls_how_far_a_prediction_counts() {
    let Tokens { vpreds, returns, values, mask } = tokens();
    let of = |c| compute_value_loss(&vpreds, &returns, &values, &mask, c, Agg::TokenSum);
    // Wide enough for every token: 1/16 + 49/16 + 1/16 + 1.
    assert_eq!(of(1.0), (0.5 * 67.0 / 16.0, 0.0));
    assert_eq!(of(f64::INFINITY), of(1.0));
    assert_eq!(of(0.25), (0.5 * SUM, 0.5));
}

/// "vpreds, returns, values": another order gives a finite and plausible loss, so the order is held by
/// tensors that differ. Our own order is v, v_old, ret.
#[test]
fn the_order_of_the_arguments_is_predictions_returns_values() {
    let (v, ret, v_old) = (dmatrix![4.0, 3.0, 1.0], dmatrix![1.0, 4.0, 2.0], dmatrix![3.0, 1.0, 1.125]);
    let of = |vpreds, returns, values| {
        2.0 * compute_value_loss(vpreds, returns, values, &Mask::full(1, 3), 0.25, Agg::TokenSum).0
    };
    let right = of(&v, &ret, &v_old);
    // (4 − 1)² by itself, (1.25 − 4)² by its bound, (1 − 2)² by itself.
    exactly(right, 9.0 + 7.5625 + 1.0);
    // Returns and values exchanged: (1.25 − 3)², (3.75 − 1)², (1.75 − 1.125)².
    exactly(of(&v, &v_old, &ret), 3.0625 + 7.5625 + 0.390625);
    let others = [of(&v, &v_old, &ret), of(&ret, &v, &v_old), of(&v_old, &ret, &v)];
    let turned = [of(&ret, &v_old, &v), of(&v_old, &v, &ret)];
    assert!(others.iter().chain(&turned).all(|other| (other - right).abs() > 0.1), "{others:?} {turned:?}");
}

/// "vf_clipfrac: fraction of elements where the clipped loss exceeded the unclipped loss": strictly, over
/// valid tokens, and a mean over tokens whatever the mode of the loss. Two of four here.
#[test]
fn the_clip_fraction_is_a_strict_token_mean_in_every_mode() {
    let Tokens { vpreds, returns, values, mask } = tokens();
    let of_rows = [WithTokens, All].map(|rows| Agg::SeqMeanTokenMean { rows });
    for mode in MODES.into_iter().map(|(mode, _)| mode).chain(of_rows) {
        let (_, clip_frac) = compute_value_loss(&vpreds, &returns, &values, &mask, 0.25, mode);
        assert_eq!(clip_frac, 0.5, "{mode:?}");
    }
    // At the first inner step every token ties, and none is counted.
    let (_, clip_frac) = compute_value_loss(&values, &returns, &values, &mask, 0.25, Agg::TokenMean);
    assert_eq!(clip_frac, 0.0);
}

/// "loss_agg_mode: str = token-mean".
#[test]
fn the_default_mode_is_token_mean() {
    assert_eq!(Settings::default().agg, Agg::TokenMean);
}

/// "response_mask: binary mask for valid response tokens": what is masked is not seen, see the NaN in
/// `tokens`, and what is valid is.
#[test]
fn a_nan_is_seen_where_the_mask_is_one_and_only_there() {
    let Tokens { vpreds, returns, values, mask } = tokens();
    let of = |mask| compute_value_loss(&vpreds, &returns, &values, mask, 0.25, Agg::TokenMean).0;
    assert!(of(&mask).is_finite());
    assert!(of(&Mask::from_rows(&[[1, 1, 1], [1, 1, 0], [0, 0, 0]])).is_nan());
}

#[test]
#[should_panic(expected = "mask: entry [0, 1] is 2, and a mask holds 0 and 1")]
fn the_mask_is_binary() {
    Mask::from_rows(&[[1, 2]]);
}

/// "(batch_size, response_length)", of all four.
#[test]
fn every_tensor_has_the_shape_of_the_mask() {
    let (right, wide) = (DMatrix::zeros(2, 3), DMatrix::zeros(2, 4));
    let said = |vpreds: &DMatrix<f64>, returns: &DMatrix<f64>, values: &DMatrix<f64>| {
        let mask = Mask::full(2, 3);
        let caught = std::panic::catch_unwind(|| {
            compute_value_loss(vpreds, returns, values, &mask, 0.2, Agg::TokenMean)
        });
        *caught.unwrap_err().downcast::<String>().unwrap()
    };
    assert_eq!(said(&wide, &right, &right), "value_loss: `v` is 2 × 4 but `mask` is 2 × 3");
    assert_eq!(said(&right, &wide, &right), "value_loss: `ret` is 2 × 4 but `mask` is 2 × 3");
    assert_eq!(said(&right, &right, &wide), "value_loss: `v_old` is 2 × 4 but `mask` is 2 × 3");
}

/// "Old baseline value predictions from the previous iteration": frozen. With the current predictions in
/// their place no token is ever clipped (tf-agents #352).
#[test]
fn old_values_that_follow_the_predictions_switch_the_clip_off() {
    let Tokens { vpreds, returns, mask, .. } = tokens();
    let got = compute_value_loss(&vpreds, &returns, &vpreds, &mask, 0.25, Agg::TokenSum);
    assert_eq!(got, (0.5 * 67.0 / 16.0, 0.0));
}

/// The example's 8 × 128, in thousandths that are whole numbers, so that a sum of squares is exact.
fn example(factor: i64, offset: i64, modulus: i64) -> DMatrix<i64> {
    DMatrix::from_fn(8, 128, |row, t| {
        (factor * (128 * row as i64 + t as i64) + offset) % modulus - modulus / 2
    })
}

fn thousandths(x: &DMatrix<i64>) -> DMatrix<f64> {
    x.map(|x| x as f64 / 1000.0)
}

/// The ½ sits inside: with `token-mean`, an all-ones mask and values inside the range the loss is ½ · MSE.
/// The example with tensors within ±.1, as `randn * 0.1` mostly is, and cliprange .2.
#[test]
fn inside_the_range_the_example_is_half_of_the_mean_squared_error() {
    let (vpreds, returns, values) = (example(37, 5, 199), example(53, 11, 197), example(71, 3, 193));
    let squares: i64 = vpreds.iter().zip(&returns).map(|(v, ret)| (v - ret) * (v - ret)).sum();
    let half_mse = 0.5 * squares as f64 / 1e6 / 1024.0;
    let [vpreds, returns, values] = [&vpreds, &returns, &values].map(thousandths);
    let ones = Mask::full(8, 128);
    let (loss, clip_frac) = compute_value_loss(&vpreds, &returns, &values, &ones, 0.2, Agg::TokenMean);
    exactly(loss, half_mse);
    assert_eq!(clip_frac, 0.0);
}

/// The example with tails of `randn * 0.1`, ±.3. In whole numbers and without a maximum: a prediction that
/// left the range by its bound counts by the bound where the return lies nearer to the prediction, beyond
/// half way between the two, and by itself elsewhere.
#[test]
fn outside_the_range_the_example_counts_the_bound_or_the_prediction_whichever_is_further() {
    let (vpreds, returns, values) = (example(37, 5, 601), example(53, 11, 599), example(71, 3, 593));
    let (mut squares, mut counted) = (0, 0);
    for ((v, ret), v_old) in vpreds.iter().zip(&returns).zip(&values) {
        let (above, below) = (v_old + 200, v_old - 200);
        let bound = (*v > above && 2 * ret > v + above)
            .then_some(above)
            .or((*v < below && 2 * ret < v + below).then_some(below));
        counted += i64::from(bound.is_some());
        squares += (bound.unwrap_or(*v) - ret).pow(2);
    }
    assert!(counted > 100, "{counted} of 1024");
    let [vpreds, returns, values] = [&vpreds, &returns, &values].map(thousandths);
    let ones = Mask::full(8, 128);
    let (loss, clip_frac) = compute_value_loss(&vpreds, &returns, &values, &ones, 0.2, Agg::TokenMean);
    exactly(loss, 0.5 * squares as f64 / 1e6 / 1024.0);
    exactly(clip_frac, counted as f64 / 1024.0);
}
