//! A step whose arrays stay on a device: the bits of [`crate::step`] on the CPU, in one call, recorded and replayed.

#![expect(unsafe_code, reason = "graphs")]

mod case;
mod on_device;
mod refused;

use super::{Batches, Slots};
use crate::{
    Logit, Settings,
    cuda::Stream,
    step::cases::{all_on, choices},
    testing::{LAYOUTS, SENTINEL, devices, masks},
};
use case::{Case, Inputs, on_cpu, settings};
use half::bf16;
use on_device::{How, OnDevice};

/// As many rows as slots, so that scores can be broadcast: with gaps, an empty row and a full one.
fn square() -> Vec<Vec<bool>> {
    const B: usize = 21;
    let end = |row: usize| if row == 4 { 0 } else { row * 8 % B + 1 };
    (0..B).map(|row| (0..B).map(|t| t < end(row) && (row + t) % 7 != 3).collect()).collect()
}

/// A step under settings, with logits of a format.
fn every_bit<X: Logit>(what: &str, case: &Case, seed: u64, how: How) {
    let x = Inputs::new(seed, case);
    let want = on_cpu::<X>(case, &x);
    for backend in devices() {
        let (on, mut slots) = (Stream::new(backend).unwrap(), Slots::default());
        let (mask, attended) = (case.mask(), case.attended());
        let batches = Batches::new(&on, &mask, Some(&attended), &case.settings, &mut slots).unwrap();
        let mut device = OnDevice::<X>::new(&on, case, &batches, &x).unwrap();
        device.run(&on, &batches, how).unwrap();
        device.assert_is(&format!("{what} on {backend}"), &on, &mask, how, &want);
    }
}

#[test]
fn a_step_on_a_device_has_every_choice_of_the_cpu_s_and_its_bits() {
    let mut all = choices();
    all.push(("everything on", all_on(), true));
    for (i, (name, settings, with_ref)) in all.into_iter().enumerate() {
        for (j, layout) in LAYOUTS.into_iter().enumerate() {
            let case = Case::new(layout, &square(), settings, with_ref);
            let (how, what) =
                (How { all: (i + j) % 2 == 0, in_place: j == 1 }, format!("{name}, {layout:?}"));
            every_bit::<f32>(&what, &case, (3 * i + j) as u64, how);
            if i % 6 == j {
                every_bit::<bf16>(&what, &case, i as u64, how);
            }
        }
    }
}

/// Rows around the edges of what threads, warps, blocks and tiles take; ragged ones among them, and one without slots; and as many
/// rows as a block halves at once. An emulated token of logits is slow: of long rows there are two.
fn shapes() -> Vec<Vec<Vec<bool>>> {
    let all = [1, 7, 8, 9, 31, 33, 127, 128, 129].into_iter().map(masks);
    let two = |n| vec![masks(n).swap_remove(3), masks(n).swap_remove(7)];
    let long = [255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049].into_iter().map(two);
    let many = [255, 256, 257, 513].into_iter().map(|b| (0..b).map(|row| vec![row % 5 != 0, true]).collect());
    let ragged = [3, 0, 513, 129, 1, 2050].into_iter().map(|n| (0..n).map(|t| t % 7 != 3).collect());
    all.chain(long).chain(many).chain([ragged.collect()]).collect()
}

#[test]
fn a_step_on_a_device_is_recorded_once_and_gives_the_bits_of_the_cpu_each_time() {
    for (i, rows) in shapes().into_iter().enumerate() {
        let even = rows.iter().all(|row| row.len() == rows[0].len());
        let layout = LAYOUTS[if even { (i + i / 3) % 3 } else { 2 }];
        let full = i % 5 != 4;
        let settings = Settings { beta_kl: if full { 0.05 } else { 0.0 }, ..settings(i) };
        let case = Case::new(layout, &rows, settings, full);
        let inputs = [1, 2].map(|seed| Inputs::new(seed * 1000 + i as u64, &case));
        let want = inputs.each_ref().map(|x| on_cpu::<f32>(&case, x));
        let what = format!("{} rows, the first of {}, {layout:?}, case {i}", rows.len(), rows[0].len());
        for backend in devices() {
            let (on, mut slots) = (Stream::new(backend).unwrap(), Slots::default());
            let (mask, attended) = (case.mask(), case.attended());
            let batches = Batches::new(&on, &mask, Some(&attended), &case.settings, &mut slots).unwrap();
            let mut device = OnDevice::<f32>::new(&on, &case, &batches, &inputs[0]).unwrap();
            let how = How { all: i % 2 == 0, in_place: i % 3 != 1 };
            // What is recorded may neither allocate nor copy nor wait: that is refused.
            let graph = on.record(|on| device.run(on, &batches, how)).unwrap();
            let untouched = device.untouched(&on);
            assert!(untouched.iter().all(|x| *x == SENTINEL), "{what}: recording ran it");
            for (x, want) in inputs.iter().zip(&want) {
                device.write(&on, x).unwrap();
                // SAFETY: all that was recorded is still there.
                unsafe { graph.replay(&on).unwrap() };
                device.assert_is(&format!("{what} on {backend}"), &on, &mask, how, want);
            }
        }
    }
}
