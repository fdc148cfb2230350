//! What a step on a device refuses, each in a sentence with names and numbers.

use super::{
    super::{Batches, Slots},
    case::{Case, Inputs, settings},
    on_device::{How, OnDevice},
    square,
};
use crate::{
    Backend, Listing, Mask, ScoreAt, Settings,
    cuda::{Buffer, Stream},
    testing::{LAYOUTS, Layout, devices},
};

/// What is said of a step of 21 rows with 21 slots when `change` has been at its arrays.
fn said(
    on: Backend,
    settings: Settings,
    full: bool,
    change: impl FnOnce(&Stream, &mut OnDevice<f32>),
) -> Result<(), String> {
    let case = Case::new(Layout::Padded, &square(), settings, full);
    let (on, mut slots) = (Stream::new(on).unwrap(), Slots::default());
    let batches = Batches::new(&on, &case.mask(), None, &settings, &mut slots).unwrap();
    let mut device = OnDevice::<f32>::new(&on, &case, &batches, &Inputs::new(5, &case)).unwrap();
    change(&on, &mut device);
    let done = device.run(&on, &batches, How { all: true, in_place: true });
    done.map_err(|err| err.to_string())
}

#[test]
fn arrays_that_do_not_fit_are_refused_by_name() {
    let settings = settings(0);
    for backend in devices() {
        let short = |on: &Stream| Buffer::<f32>::room(on, 20).unwrap();
        let said = |change: &dyn Fn(&Stream, &mut OnDevice<f32>)| {
            said(backend, settings, true, |on, device| change(on, device))
        };
        assert_eq!(said(&|_, _| ()), Ok(()));
        // 256 numbers for the sums; and eight arrays of 441 numbers, which begin 448 apart.
        let want = "cuda::step::rollout_phase: `scratch` has 3839 elements and must have 3840, one per number of `scratch_len`";
        assert_eq!(said(&|_, device| device.scratch_len -= 1).unwrap_err(), want);
        let want = "cuda::step::losses: `figures` has 20 elements and must have 9, one per figure";
        assert_eq!(said(&|on, device| device.figures = short(on)).unwrap_err(), want);
        let want = "cuda::place_scores: `scores` has 20 elements and must have 21, one per row";
        assert_eq!(said(&|on, device| device.scores = short(on)).unwrap_err(), want);
        let want = "cuda::whiten: `figures` has 20 elements and must have 2, one per figure";
        assert_eq!(said(&|on, device| device.whitened = short(on)).unwrap_err(), want);
        let want = "cuda::value_loss: `v` has 20 elements and must have 441, one per slot of the mask";
        assert_eq!(said(&|on, device| device.tokens[4] = short(on)).unwrap_err(), want);
        let want = "cuda::token_pass: `actions` has 20 elements and must have 441, one per slot of the mask";
        let actions = |on: &Stream| Buffer::<u32>::room(on, 20).unwrap();
        assert_eq!(said(&|on, device| device.actions = actions(on)).unwrap_err(), want);
    }
}

#[test]
fn what_a_choice_needs_and_a_range_that_is_left_are_refused() {
    let s = settings(0);
    for backend in devices() {
        let said = |settings, full| said(backend, settings, full, |_, _| ()).unwrap_err();
        let want = "cuda::reward: `kl` is missing and `beta_kl` other than 0 needs it";
        assert_eq!(said(s, false), want);
        let want = "cuda::place_scores: `attended` is missing and `at` last-attended needs it";
        assert_eq!(said(Settings { score_at: ScoreAt::LastAttended, ..s }, true), want);
        assert_eq!(
            said(Settings { eps_v: -1.0, ..s }, true),
            "cuda::value_loss: `eps_v` is -1 and must be > 0 (in f32)"
        );
        assert_eq!(
            said(Settings { gamma: 1.5, ..s }, true),
            "cuda::gae: `gamma` is 1.5 and must lie in [0, 1] (in f32)"
        );
    }
}

#[test]
fn masks_that_cannot_be_stepped_are_refused() {
    let rows = vec![vec![true; 4]; 3];
    let (s, whole) = (settings(0), Mask::padded(&[true; 50], 50, 1).unwrap().counts());
    let broadcast = Settings { listing: Listing { score_broadcast: true, ..Listing::CORRECTED }, ..s };
    for (backend, layout) in devices().flat_map(|on| LAYOUTS.map(|layout| (on, layout))) {
        let case = Case::new(layout, &rows, broadcast, true);
        let (on, mut slots) = (Stream::new(backend).unwrap(), Slots::default());
        let part = case.mask().part_of(2, whole);
        let said = Batches::new(&on, &part, None, &s, &mut slots).unwrap_err().to_string();
        let want =
            "cuda::step: `mask` holds 3 rows from row 2 of a batch of 50: sum the parts and merge them";
        assert_eq!(said, want);

        let batches = Batches::new(&on, &case.mask(), None, &broadcast, &mut slots).unwrap();
        let mut device = OnDevice::<f32>::new(&on, &case, &batches, &Inputs::new(5, &case)).unwrap();
        let said = device.run(&on, &batches, How { all: false, in_place: false }).unwrap_err().to_string();
        let want =
            "cuda::broadcast_scores: `mask.row` has 4 elements and must have 3, one per row, to be broadcast";
        assert_eq!(said, want);
    }
}
