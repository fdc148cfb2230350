//! A step whose arrays stay on the device: the bits of the same calls on the CPU, recorded once and replayed over other
//! numbers.

#![expect(unsafe_code, reason = "graphs")]

use super::{
    case::{Choices, Inputs, on_cpu},
    devices,
    on_device::OnDevice,
};
use crate::{
    Agg, Backend, Counts, Mask, aggregate_sums,
    cuda::{Batch, Graph, Stream},
    testing::{LAYOUTS, Laid, Random, SENTINEL, masks},
};

#[test]
fn a_step_on_the_device_is_recorded_once_and_gives_the_bits_of_the_cpu_each_time() {
    // Rows of 2048 fill their tile, so that what is kept of its last group is somebody's.
    for case in 0..14 {
        let (n, layout, by) = (
            [1, 9, 130, 517, 1025, 2048, 2049][case % 7],
            LAYOUTS[(case + case / 7) % 3],
            Choices::new(case),
        );
        // An emulated token of logits is slow: of long rows those with gaps.
        let rows = if n < 200 { masks(n) } else { vec![masks(n).swap_remove(3), masks(n).swap_remove(7)] };
        let laid = Laid::new(layout, &vec![n; rows.len()]);
        let valid = laid.lay(&rows, false);
        let mask = laid.mask(&valid);
        let inputs = [1, 2].map(|seed| Inputs::new((seed * 1000 + n) as u64, &mask));
        let want = inputs.each_ref().map(|x| on_cpu(x, &mask, &by).unwrap());
        for backend in devices() {
            let what = format!("{backend}, {n} slots, {layout:?}, {by:?}");
            let on = Stream::new(backend).unwrap();
            let batch = Batch::new(&on, &mask).unwrap();
            let mut device = OnDevice::new(&on, &batch, &inputs[0]).unwrap();
            let graph: Graph = on.record(|on| device.run(on, &batch, &by)).unwrap();
            let untouched = device.arrays[0].read(&on).unwrap();
            assert!(untouched.iter().all(|x| *x == SENTINEL), "{what}: recording ran it");
            for (x, want) in inputs.iter().zip(&want) {
                device.write(&on, x).unwrap();
                // SAFETY: all that was recorded is still there.
                unsafe { graph.replay(&on).unwrap() };
                device.assert_is(&what, &on, want);
            }
        }
    }
}

/// As many rows as a block halves at once, a few more and a few less, and parts that begin anywhere.
#[test]
fn the_tree_of_many_rows_is_the_cpu_s_wherever_the_part_begins() {
    let mut random = Random(11);
    for b in [1, 2, 3, 5, 12, 19, 255, 257, 511, 512, 513, 1025, 2051] {
        let (valid, offsets) = (vec![true; b], (0..=b).collect::<Vec<_>>());
        let x: Vec<f32> = (0..b).map(|_| random.wild().clamp(-1e30, 1e30)).collect();
        let mask = Mask::packed(&valid, &offsets).unwrap();
        for first in [0, 5, 1 << 33] {
            let counts = mask.counts();
            let whole = Counts { rows: first + counts.rows, ..counts };
            let mask = if first == 0 { mask } else { mask.part_of(first, whole) };
            let sums = |on| aggregate_sums(on, &x, &mask, Agg::TokenSum).unwrap();
            let want = sums(Backend::best());
            for on in devices() {
                assert_eq!(sums(on), want, "{on}, {b} rows from {first} on");
            }
        }
    }
}
