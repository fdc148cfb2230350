//! Outputs and operands of the terms on a device that a step has no use for: the bits of the CPU.

use crate::{
    Agg, Backend, Ends, GaeOut, Gap, Grad, Half, KlEstimate, KlGrad, KlOut, Lambda, PolicyOut, Put, Settings,
    ValueClip, ValueOut, broadcast_scores,
    cuda::{self, Batch, Buffer, Stream},
    gae, kl_loss, policy_loss,
    testing::{LAYOUTS, Laid, Random, SENTINEL, devices, masks, same},
    value_loss,
};

#[test]
fn each_token_s_loss_and_ratio_a_decay_per_row_and_a_gradient_alone_are_the_cpu_s() {
    for (i, n) in [7, 130, 1025].into_iter().enumerate() {
        let (rows, s) = (masks(n), Settings::default());
        let laid = Laid::new(LAYOUTS[i], &vec![n; rows.len()]);
        let valid = laid.lay(&rows, false);
        let (mask, mut random) = (laid.mask(&valid), Random(n as u64));
        let mut numbers = |_| -> Vec<f32> {
            valid.iter().map(|valid| if *valid { random.uniform() } else { f32::NAN }).collect()
        };
        let x: [Vec<f32>; 4] = core::array::from_fn(&mut numbers);
        let lambdas: Vec<f32> = (0..mask.b()).map(|_| random.index(9) as f32 / 8.0).collect();
        let mut want = vec![vec![SENTINEL; laid.slots]; 6];
        let [per_token, ratio, of_value, adv, ret, of_kl] =
            want.get_disjoint_mut([0, 1, 2, 3, 4, 5]).unwrap();
        let (on, agg, [a, b, c, weights]) = (Backend::best(), Agg::TokenMean, &x);
        let out = PolicyOut { per_token: Some(per_token), ratio: Some(ratio), grad: None };
        policy_loss(on, a, b, c, &mask, Some(weights), &s.clip, agg, out).unwrap();
        let out = ValueOut { per_token: Some(of_value), grad: None };
        value_loss(on, a, b, c, &mask, 0.2, ValueClip::Max, agg, Half::Yes, out).unwrap();
        let (out, ends) = (GaeOut { adv, ret: Some(ret) }, Ends::default());
        gae(on, a, b, &mask, &ends, Gap::Skip, 0.99, Lambda::PerRow(&lambdas), out).unwrap();
        let k3 = KlEstimate::plain(crate::Kl::K3);
        let out = KlOut { grad: Some(Grad { c: 0.3, to: of_kl }), put: Put::Replace };
        kl_loss(on, a, b, &mask, k3, KlGrad::Own, agg, out).unwrap();

        for backend in devices() {
            let on = Stream::new(backend).unwrap();
            let batch = Batch::new(&on, &mask).unwrap();
            let [a, b, c, weights] = x.each_ref().map(|x| Buffer::new(&on, x).unwrap());
            let (a, b, c, lambdas) = (a.view(), b.view(), c.view(), Buffer::new(&on, &lambdas).unwrap());
            let fresh = || Buffer::new(&on, &vec![SENTINEL; laid.slots]).unwrap();
            let mut got: [Buffer<f32>; 6] = core::array::from_fn(|_| fresh());
            let [per_token, ratio, of_value, adv, ret, of_kl] = got.each_mut().map(Buffer::view_mut);
            let mut scratch = Buffer::<f32>::room(&on, batch.scratch_len()).unwrap();
            let mut figures = [4, 2, 1].map(|n| Buffer::<f32>::room(&on, n).unwrap());
            let [four, two, one] = figures.each_mut().map(Buffer::view_mut);
            let (per_token, ratio, weights) = (Some(per_token), Some(ratio), Some(weights.view()));
            let out = cuda::PolicyOut { per_token, ratio, grad: None, figures: four };
            cuda::policy_loss(&on, a, b, c, &batch, weights, &s.clip, agg, out, scratch.view_mut()).unwrap();
            let out = cuda::ValueOut { per_token: Some(of_value), grad: None, figures: two };
            let form = ValueClip::Max;
            cuda::value_loss(&on, a, b, c, &batch, 0.2, form, agg, Half::Yes, out, scratch.view_mut())
                .unwrap();
            let (out, ends) = (cuda::GaeOut { adv, ret: Some(ret) }, cuda::Ends::default());
            let lambda = cuda::Lambda::PerRow(lambdas.view());
            cuda::gae(&on, a, b, &batch, &ends, Gap::Skip, 0.99, lambda, out, scratch.view_mut()).unwrap();
            let grad = Some(cuda::Grad { c: 0.3, to: of_kl });
            let out = cuda::KlOut { grad, put: Put::Replace, loss: one };
            cuda::kl_loss(&on, a, b, &batch, k3, KlGrad::Own, agg, out, scratch.view_mut()).unwrap();
            let names = ["loss of each token", "ratio", "squared error", "adv", "ret", "gradient of the KL"];
            for ((name, got), want) in names.iter().zip(&got).zip(&want) {
                let got = got.read(&on).unwrap();
                let differs = got.iter().zip(want).position(|(got, want)| !same(*got, *want));
                assert_eq!(differs, None, "{name} on {backend}, {n} slots");
            }
        }
    }
}

/// As many rows as slots, and more than a tile of them.
#[test]
fn scores_under_every_row_are_the_cpu_s() {
    for (b, layout) in [1, 21, 130, 2051].into_iter().zip([0, 1, 2, 1].map(|i| LAYOUTS[i])) {
        let laid = Laid::new(layout, &vec![b; b]);
        let (valid, mut random) = (vec![false; laid.slots], Random(b as u64));
        let scores: Vec<f32> = (0..b).map(|_| 4.0 * random.wild()).collect();
        let (mask, mut want) = (laid.mask(&valid), vec![SENTINEL; laid.slots]);
        broadcast_scores(&scores, 1.5, &mask, &mut want).unwrap();
        for backend in devices() {
            let on = Stream::new(backend).unwrap();
            let (batch, scores) = (Batch::new(&on, &mask).unwrap(), Buffer::new(&on, &scores).unwrap());
            let mut got = Buffer::new(&on, &vec![SENTINEL; laid.slots]).unwrap();
            cuda::broadcast_scores(&on, scores.view(), 1.5, &batch, got.view_mut()).unwrap();
            let got = got.read(&on).unwrap();
            assert!(got.iter().zip(&want).all(|(got, want)| same(*got, *want)), "{backend}, {b} rows");
        }
    }
}
