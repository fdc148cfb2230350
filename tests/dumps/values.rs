//! What stands in the tensors: dtypes, masks, NaN, token ids, logits, and what the settings need.

use crate::file::{File, step};
use half::{bf16, f16};
use reference::Mask;

const TOKENS: [usize; 2] = [2, 3];

#[test]
fn every_float_widens_exactly() {
    let x = [0.0, -1.5, 0.333_251_953_125, 65504.0, -6.103_515_625e-5, 1.0];
    let bytes = |of: fn(f64) -> Vec<u8>| x.iter().flat_map(|x| of(*x)).collect::<Vec<u8>>();
    let f32s = bytes(|x| (x as f32).to_le_bytes().to_vec());
    let f16s = bytes(|x| f16::from_f64(x).to_le_bytes().to_vec());
    let bf16s = bytes(|x| bf16::from_f64(x).to_le_bytes().to_vec());
    let read = |dtype, bytes| {
        let got = File::new().raw("old_values", dtype, &TOKENS, bytes).inputs().old_values.unwrap();
        (0..6).map(|i| got[(i / 3, i % 3)]).collect::<Vec<f64>>()
    };
    assert_eq!(read("F64", bytes(|x| x.to_le_bytes().to_vec())), x);
    assert_eq!(read("F32", f32s), x.map(|x| f64::from(x as f32)));
    assert_eq!(read("F16", f16s), x.map(|x| f16::from_f64(x).to_f64()));
    assert_eq!(read("BF16", bf16s), x.map(|x| bf16::from_f64(x).to_f64()));
}

#[test]
fn every_flag_dtype_is_read() {
    let flags = [1u8, 0, 1, 1, 1, 0];
    let bytes = |of: fn(u8) -> Vec<u8>| flags.iter().flat_map(|x| of(*x)).collect::<Vec<u8>>();
    let want = Mask::from_rows(&[[1, 0, 1], [1, 1, 0]]);
    for (dtype, bytes) in [
        ("BOOL", flags.to_vec()),
        ("U8", flags.to_vec()),
        ("I32", bytes(|x| i32::from(x).to_le_bytes().to_vec())),
        ("I64", bytes(|x| i64::from(x).to_le_bytes().to_vec())),
        ("F64", bytes(|x| f64::from(x).to_le_bytes().to_vec())),
        ("F32", bytes(|x| f32::from(x).to_le_bytes().to_vec())),
        ("BF16", bytes(|x| bf16::from_f64(x.into()).to_le_bytes().to_vec())),
        ("F16", bytes(|x| f16::from_f64(x.into()).to_le_bytes().to_vec())),
    ] {
        assert_eq!(File::new().raw("mask", dtype, &TOKENS, bytes).inputs().mask, want, "{dtype}");
    }
}

#[test]
fn a_flag_that_is_neither_0_nor_1_is_refused() {
    let want = "`mask` row 1, token 0 is neither 0 nor 1";
    for x in [0.5, 2.0, f64::NAN, -1.0] {
        assert_eq!(File::new().f64("mask", &TOKENS, &[1.0, 0.0, 1.0, x, 1.0, 1.0]).refusal(&[]), want);
    }
    assert_eq!(File::new().flags("mask", &TOKENS, &[1, 1, 1, 2, 1, 1]).refusal(&[]), want);
    assert_eq!(File::new().ids("mask", &TOKENS, &[1, 1, 1, 1 << 53, 1, 1]).refusal(&[]), want);
}

#[test]
fn every_id_dtype_is_read() {
    let ids = [0u8, 1, 0, 1, 1, 0];
    let bytes = |of: fn(u8) -> Vec<u8>| ids.iter().flat_map(|x| of(*x)).collect::<Vec<u8>>();
    for (dtype, bytes) in [
        ("U8", ids.to_vec()),
        ("I32", bytes(|x| i32::from(x).to_le_bytes().to_vec())),
        ("U32", bytes(|x| u32::from(x).to_le_bytes().to_vec())),
        ("I64", bytes(|x| i64::from(x).to_le_bytes().to_vec())),
    ] {
        let got = step().raw("actions", dtype, &TOKENS, bytes).inputs().actions.unwrap();
        assert_eq!((got[(0, 1)], got[(1, 0)], got[(1, 1)], got[(0, 2)]), (1, 1, 1, 0), "{dtype}");
    }
}

#[test]
fn a_wrong_dtype_is_refused_with_the_legal_ones() {
    for (name, dtype, legal) in [
        ("old_values", "I64", "numbers are F64, F32, BF16 or F16"),
        ("response_mask", "I16", "masks and flags are BOOL, U8, I32, I64 or floats of 0 and 1"),
        ("actions", "F32", "token ids are U8, I32, I64 or U32"),
        ("returns", "BOOL", "numbers are F64, F32, BF16 or F16"),
    ] {
        let size = match dtype {
            "BOOL" => 1,
            "I16" => 2,
            "F32" => 4,
            _ => 8,
        };
        let got = step().raw(name, dtype, &TOKENS, vec![0; 6 * size]).refusal(&[]);
        assert_eq!(got, format!("`{name}` has dtype {dtype}, and {legal}"));
    }
    step().raw("prompt_ids", "F8_E4M3", &[2], vec![0; 2]).inputs();
}

#[test]
fn an_input_that_is_not_finite_is_refused_where_it_is_valid() {
    for name in [
        "old_values",
        "values",
        "old_log_probs",
        "ref_log_probs",
        "rewards",
        "rollout_is_weights",
        "advantages",
        "returns",
        "log_probs",
    ] {
        let file = if name == "rewards" { step().without("scores") } else { step() };
        // As inputs: nothing there to compute them from.
        let file = match name {
            "advantages" | "returns" => file.without("scores"),
            "log_probs" => file.without("logits"),
            _ => file,
        };
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let got = file.clone().f64(name, &TOKENS, &[0.0, 0.0, 0.0, 0.0, x, 0.0]).refusal(&[]);
            let want =
                format!("`{name}` row 1, token 1 is {x}, and an input must be finite where it is read");
            assert_eq!(got, want);
            file.clone().f64(name, &TOKENS, &[0.0, 0.0, 0.0, 0.0, 0.0, x]).inputs();
        }
    }
    let got = step().f64("scores", &[2], &[0.0, f64::NAN]).refusal(&[]);
    assert_eq!(got, "`scores` row 1 is NaN, and an input must be finite where it is read");
}

#[test]
fn an_output_may_be_anything() {
    let file = step().all("returns", &TOKENS, f64::NAN).all("pg_loss", &[1], f64::NEG_INFINITY);
    let dump = file.all("grad_logits", &[2, 3, 2], f64::INFINITY).open().unwrap();
    assert_eq!(dump.output_names(), ["returns", "pg_loss", "grad_logits"]);
    assert_eq!(dump.output_scalar("pg_loss").unwrap(), Some(f64::NEG_INFINITY));
    assert!(dump.output_matrix("returns").unwrap().unwrap()[(1, 2)].is_nan());
    let mut row = Vec::new();
    dump.output_rows("grad_logits").unwrap().row((1, 2), &mut row).unwrap();
    assert_eq!(row, [f64::INFINITY; 2]);
    assert!(dump.output_rows("grad_logits").unwrap().row((2, 0), &mut row).is_err());
    assert!(dump.output_rows("grad_logits").unwrap().row((0, 3), &mut row).is_err());
    assert_eq!((dump.output_scalar("vf_loss"), dump.output_matrix("kl")), (Ok(None), Ok(None)));
}

#[test]
fn what_is_masked_is_0_whatever_stood_there() {
    let row = [1.0, 2.0, 3.0, 4.0, 5.0];
    for x in [f64::NAN, f64::INFINITY, 1e30] {
        let values = [&row[..], &[x]].concat();
        let got = step().f64("old_values", &TOKENS, &values).inputs().old_values.unwrap();
        assert_eq!((got[(0, 2)], got[(1, 0)], got[(1, 2)]), (3.0, 4.0, 0.0));
    }
    assert_eq!(step().inputs().actions.unwrap()[(1, 2)], 0);
}

#[test]
fn the_unmasked_listing_makes_every_slot_valid() {
    let (inputs, _) = step().ids("actions", &TOKENS, &[0; 6]).load(&[("listing", "unmasked")]).unwrap();
    assert_eq!((inputs.mask, inputs.value_mask), (Mask::full(2, 3), Mask::full(2, 3)));
    let got = step().refusal(&[("listing", "unmasked")]);
    assert_eq!(got, "`actions` row 1, token 2 is -100, and a token id is not negative");
}

#[test]
fn the_first_pad_is_read_by_the_critic_alone() {
    let flags = [("score-at", "first-pad")];
    let (inputs, _) = step().load(&flags).unwrap();
    assert_eq!(inputs.mask, Mask::from_rows(&[[1, 1, 1], [1, 1, 0]]));
    assert_eq!(inputs.value_mask, Mask::full(2, 3));
    let poisoned = [0.0, 0.0, 0.0, 0.0, 0.0, f64::NAN];
    assert!(step().f64("old_log_probs", &TOKENS, &poisoned).load(&flags).is_ok());
    let got = step().f64("values", &TOKENS, &poisoned).refusal(&flags);
    assert!(got.starts_with("`values` row 1, token 2 is NaN"), "{got}");
}

#[test]
fn a_token_id_outside_the_vocabulary_is_refused() {
    let got = step().ids("actions", &TOKENS, &[0, 2, 0, 0, 0, 9]).refusal(&[]);
    assert_eq!(got, "`actions` row 0, token 1 is 2, and `logits` has a vocabulary of 2");
    let got = step().ids("actions", &TOKENS, &[0, 1, -1, 0, 0, 9]).refusal(&[]);
    assert_eq!(got, "`actions` row 0, token 2 is -1, and a token id is not negative");
    assert!(step().without("logits").ids("actions", &TOKENS, &[0, 2, 0, 0, 0, 9]).load(&[]).is_ok());
}

#[test]
fn logits_are_checked_as_they_are_read() {
    let inf = f64::INFINITY;
    let z = [0.0, 1.0, -inf, 2.0, f64::NAN, 0.0, inf, 0.0, -inf, -inf, 7.0, 8.0];
    let mut logits = step().f64("logits", &[2, 3, 2], &z).inputs().logits.unwrap();
    assert_eq!(logits.vocab(), 2);
    let mut row = Vec::new();
    logits.row((0, 1), Some(1), &mut row).unwrap();
    assert_eq!(row, [-inf, 2.0]);
    logits.row((1, 2), None, &mut row).unwrap();
    assert_eq!(row, [7.0, 8.0]);
    logits.row((0, 0), Some(0), &mut row).unwrap();
    assert_eq!(row, [0.0, 1.0]);
    let mut refusal = |slot, action| logits.row(slot, action, &mut row).unwrap_err().to_string();
    assert_eq!(refusal((0, 1), Some(0)), "`logits` row 0, token 1: the logit of the sampled token 0 is -inf");
    assert_eq!(refusal((0, 2), Some(1)), "`logits` row 0, token 2: the logit of 0 is NaN");
    assert_eq!(refusal((1, 0), Some(1)), "`logits` row 1, token 0: the logit of 0 is inf");
    assert_eq!(refusal((1, 1), None), "`logits` row 1, token 1: every logit is -inf");
    assert_eq!(refusal((0, 0), Some(2)), "`logits` row 0, token 0: token 2 is not below V = 2");
}

#[test]
fn what_a_setting_needs_and_the_file_lacks_is_named() {
    let kl = [("kl-coef", "0.1")];
    for name in ["old_log_probs", "ref_log_probs"] {
        let want = format!("`kl_coef` is 0.1, and `{name}`, of which the KL is made, is not in the file");
        assert_eq!(step().without(name).refusal(&kl), want);
        assert!(step().without(name).load(&[("kl-coef", "0.1"), ("listing", "unshaped-reward")]).is_ok());
        let rewards = step().without("scores").without(name).all("rewards", &TOKENS, 0.0);
        assert!(rewards.load(&kl).is_ok(), "the KL is inside already");
    }
    let got = step().without("ref_log_probs").refusal(&[("kl-loss-coef", "0.1")]);
    assert_eq!(got, "`kl_loss_coef` is 0.1, and `ref_log_probs` is not in the file");
    let got = step().refusal(&[("score-at", "last-attended")]);
    assert_eq!(got, "`score_at` is last-attended, and `attention_mask` is not in the file");
    let attended = step().flags("attention_mask", &TOKENS, &[1; 6]).load(&[("score-at", "last-attended")]);
    assert_eq!(attended.unwrap().0.attended, Some(Mask::full(2, 3)));
    let raw = step().without("scores").all("advantages_raw", &TOKENS, 0.0);
    let want = "`lam_critic` is 0.5 and `lam` 0.95, but `advantages_raw` is an input, made with one λ";
    assert_eq!(raw.refusal(&[("lam-critic", "0.5")]), want);
}

#[test]
fn scores_broadcast_only_where_b_is_l() {
    let flags = [("listing", "score-broadcast")];
    let want = "the listing's score-broadcast needs one score per sequence and B = L, and the file has B = 2, \
                L = 3 and (B) scores";
    assert_eq!(step().refusal(&flags), want);
    let square = File::new().flags("mask", &[2, 2], &[1, 0, 1, 0]).f64("scores", &[2], &[1.0, f64::NAN]);
    assert!(square.load(&flags).is_ok(), "score 1 is paid at token 1, which no row has");
    let square = square.flags("mask", &[2, 2], &[1, 0, 1, 1]);
    assert!(square.refusal(&flags).starts_with("`scores` row 1 is NaN"));
    let got = square.all("scores", &[2, 2], 0.0).refusal(&flags);
    assert!(got.ends_with("B = 2, L = 2 and (B, L) scores"), "{got}");
    let kl = [("listing", "score-broadcast"), ("kl-coef", "1")];
    let square = File::new().all("scores", &[2], 0.0).all("old_log_probs", &[2, 2], 0.0);
    assert!(square.refusal(&kl).contains("`ref_log_probs`"));
}

#[test]
fn without_values_there_are_no_ends_and_nothing_is_missing() {
    let file = step().without("old_values").without("values").flags("truncated", &[2], &[1, 0]);
    assert_eq!(file.inputs().ends, None);
    let scores = file.inputs().scores.unwrap();
    assert_eq!((scores.shape(), scores[1]), ((2, 1), -1.0));
}
