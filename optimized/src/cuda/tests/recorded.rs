//! A step whose arrays stay on the device: the bits of the same calls on the CPU, recorded once and replayed over other
//! numbers.

#![expect(unsafe_code, reason = "memory by its address, and graphs")]

use super::{self as cuda, Batch, Buffer, Graph, Stream, View, ViewMut};
use crate::{
    Agg, Backend, Coefficients, CountRows, Counts, Ends, Error, GaeOut, Gap, Grad, Half, Kl, KlEstimate,
    KlGrad, KlOut, Lambda, Logits, LogitsMut, Mask, PolicyOut, Put, ScoreAt, Settings, TokenOut, TokenStats,
    Truncated, ValueClip, ValueOut, Variance, Whitening, aggregate, aggregate_grad, aggregate_sums, gae, kl,
    kl_loss, place_scores, policy_loss, returns, reward,
    testing::{LAYOUTS, Laid, Random, SENTINEL, masks, same},
    token_pass, token_pass_grad_in_place, total_loss, value_loss, whiten,
};

const VOCAB: usize = 37;

/// What a step is made of: arrays of the mask's layout, NaN in masked slots.
struct Inputs {
    logits: Vec<f32>,
    actions: Vec<u32>,
    scores: Vec<f32>,
    v_last: Vec<f32>,
    /// log π_ref, V_old, V, weights, log π_old − log π, V where a row is cut off.
    tokens: [Vec<f32>; 6],
    terminated: Vec<bool>,
    truncated: Vec<bool>,
}

impl Inputs {
    fn new(seed: u64, mask: &Mask<'_>) -> Inputs {
        let (mut random, valid) = (Random(seed), mask.valid());
        let n = valid.len();
        let mut of = |scale: f32| -> Vec<f32> {
            let all = valid.iter();
            all.map(|valid| if *valid { scale * random.uniform() } else { f32::NAN }).collect()
        };
        let tokens = [of(2.0), of(1.0), of(1.0), of(0.5), of(0.3), of(1.0)];
        let mut numbers = |n: usize| (0..n).map(|_| 3.0 * random.uniform()).collect::<Vec<f32>>();
        let (logits, scores, v_last) = (numbers(n * VOCAB), numbers(mask.b()), numbers(mask.b()));
        let actions = (0..n).map(|_| random.index(VOCAB) as u32).collect();
        let mut flags = || (0..n).map(|_| random.flag(9)).collect();
        let (terminated, truncated) = (flags(), flags());
        Inputs { logits, actions, scores, v_last, tokens, terminated, truncated }
    }
}

/// The choices that differ from case to case.
#[derive(Debug, Clone, Copy)]
struct Choices {
    agg: Agg,
    gap: Gap,
    kind: Kl,
    slope: KlGrad,
    form: ValueClip,
    half: Half,
    whitening: Whitening,
    tau_ent: f64,
    coefficients: Coefficients,
    score_at: ScoreAt,
}

const KLS: [Kl; 4] = [Kl::K1, Kl::Abs, Kl::K2, Kl::K3];

impl Choices {
    fn new(seed: usize) -> Choices {
        let (rows, scale) = (CountRows::WithTokens, 7.0);
        let modes = [
            Agg::TokenMean,
            Agg::TokenSum,
            Agg::SeqMeanTokenSum { rows },
            Agg::SeqMeanTokenMean { rows: CountRows::All },
            Agg::SeqMeanTokenSumNorm { rows, scale },
            Agg::TokenSumNorm { scale },
        ];
        let whitening = Settings::default().whitening.unwrap();
        let variance = [Variance::Sample, Variance::Population][seed % 2];
        let [c_v, beta_loss] = [[0.5, 0.1], [0.0, 0.0]][usize::from(seed % 4 == 3)];
        Choices {
            agg: modes[seed % 6],
            gap: [Gap::Skip, Gap::Decay, Gap::Cut][seed % 3],
            kind: KLS[seed % 4],
            slope: [KlGrad::Own, KlGrad::StraightThrough][seed % 2],
            form: [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off][seed % 3],
            half: [Half::Yes, Half::No][seed % 2],
            whitening: Whitening { variance, ..whitening },
            tau_ent: [0.8, 1.0][seed % 2],
            coefficients: Coefficients { c_v, c_h: 0.01, beta_loss },
            score_at: [ScoreAt::LastValid, ScoreAt::FirstPad, ScoreAt::LastAttended][seed % 3],
        }
    }

    fn estimate(&self) -> KlEstimate {
        KlEstimate { kind: self.kind, clamp_in: 1.5, clamp_out: 1.0 }
    }
}

const TAU: f64 = 0.8;
const GAMMA: f64 = 0.99;
const EPS_V: f64 = 0.2;
/// What stands in order: the arrays per token, then figures.
const ARRAYS: [&str; 19] = [
    "logp",
    "ent",
    "max",
    "ln_sum",
    "max_ent",
    "ln_sum_ent",
    "logp_old",
    "k",
    "placed",
    "r",
    "adv",
    "ret",
    "white",
    "again",
    "g_logp",
    "g_ent",
    "g_v",
    "per_token",
    "ratio",
];
const FIGURES: usize = 2 + 4 + 2 + 3;

/// What a step leaves: the arrays, the figures, and the logits with their gradient in place.
type Left = (Vec<Vec<f32>>, Vec<f32>, Vec<f32>);

/// The step on the CPU.
fn on_cpu(x: &Inputs, mask: &Mask<'_>, by: &Choices) -> Result<Left, Error> {
    let on = Backend::best();
    let mut logits = x.logits.clone();
    let mut all = vec![vec![SENTINEL; mask.valid().len()]; ARRAYS.len()];
    let [
        logp,
        ent,
        max,
        ln_sum,
        max_ent,
        ln_sum_ent,
        logp_old,
        k,
        placed,
        r,
        adv,
        ret,
        white,
        again,
        g_logp,
        g_ent,
        g_v,
        per_token,
        ratio,
    ] = all.get_disjoint_mut(core::array::from_fn::<_, 19, _>(|i| i)).unwrap();
    let out = TokenOut {
        logp: Some(logp),
        ent: Some(ent),
        max: Some(max),
        ln_sum: Some(ln_sum),
        max_ent: Some(max_ent),
        ln_sum_ent: Some(ln_sum_ent),
    };
    token_pass(on, Logits::new(&logits, VOCAB)?, &x.actions, mask, TAU, by.tau_ent, out)?;
    let [logp_ref, v_old, v, weights, apart, v_boot] = &x.tokens;
    returns(on, logp, apart, mask, logp_old)?;
    kl(on, logp_old, logp_ref, mask, by.estimate(), k)?;
    place_scores(on, &x.scores, by.score_at, 2.0, mask, Some(mask), placed)?;
    reward(on, placed, Some(k), 0.05, mask, r)?;
    let truncated = Truncated { at: &x.truncated, v_boot };
    let ends = Ends { v_last: Some(&x.v_last), terminated: Some(&x.terminated), truncated: Some(truncated) };
    let out = GaeOut { adv, ret: Some(ret) };
    gae(on, r, v_old, mask, &ends, by.gap, GAMMA, Lambda::One(0.95), out)?;
    let whitened = whiten(on, adv, mask, by.whitening, white)?;
    returns(on, adv, v_old, mask, again)?;
    let out =
        PolicyOut { per_token: Some(per_token), ratio: Some(ratio), grad: Some(Grad { c: 1.0, to: g_logp }) };
    let policy = policy_loss(on, logp, logp_old, white, mask, Some(weights), &clip(), by.agg, out)?;
    let out = ValueOut { per_token: None, grad: Some(Grad { c: by.coefficients.c_v, to: g_v }) };
    let value = value_loss(on, v, v_old, ret, mask, EPS_V, by.form, by.agg, by.half, out)?;
    let l_ent = aggregate(on, ent, mask, by.agg)?;
    aggregate_grad(mask, by.agg, -by.coefficients.c_h, g_ent)?;
    let out = KlOut { grad: Some(Grad { c: by.coefficients.beta_loss, to: g_logp }), put: Put::Add };
    let l_kl = kl_loss(on, logp, logp_ref, mask, by.estimate(), by.slope, by.agg, out)?;
    let total = total_loss(policy.loss, value.loss, l_ent, l_kl, by.coefficients);
    let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
    let place = LogitsMut::new(&mut logits, VOCAB)?;
    token_pass_grad_in_place(on, place, &x.actions, mask, TAU, by.tau_ent, stats, g_logp, g_ent)?;
    let figures = vec![
        whitened.mean,
        whitened.var,
        policy.loss,
        policy.clip_frac,
        policy.clip_frac_lower,
        policy.approx_kl,
        value.loss,
        value.clip_frac,
        l_ent,
        l_kl,
        total,
    ];
    Ok((all, figures, logits))
}

fn clip() -> crate::PolicyClip {
    crate::PolicyClip { c_dual: 1.5, kl_kind: Kl::K3, log_ratio_clamp: 0.25, ..Settings::default().clip }
}

/// The same on a device: what stays there.
struct OnDevice {
    logits: Buffer<f32>,
    actions: Buffer<u32>,
    scores: Buffer<f32>,
    v_last: Buffer<f32>,
    tokens: Vec<Buffer<f32>>,
    flags: [Buffer<u8>; 2],
    arrays: Vec<Buffer<f32>>,
    figures: Buffer<f32>,
    scratch: Buffer<f32>,
}

fn bytes(flags: &[bool]) -> Vec<u8> {
    flags.iter().map(|flag| u8::from(*flag)).collect()
}

impl OnDevice {
    fn new(on: &Stream, batch: &Batch<'_>, x: &Inputs) -> Result<OnDevice, Error> {
        let fresh = vec![SENTINEL; batch.mask().valid().len()];
        let upload = |x: &Vec<f32>| Buffer::new(on, x);
        Ok(OnDevice {
            logits: upload(&x.logits)?,
            actions: Buffer::new(on, &x.actions)?,
            scores: upload(&x.scores)?,
            v_last: upload(&x.v_last)?,
            tokens: x.tokens.iter().map(upload).collect::<Result<_, _>>()?,
            flags: [Buffer::new(on, &bytes(&x.terminated))?, Buffer::new(on, &bytes(&x.truncated))?],
            arrays: ARRAYS.iter().map(|_| upload(&fresh)).collect::<Result<_, _>>()?,
            figures: Buffer::room(on, FIGURES)?,
            scratch: Buffer::room(on, batch.scratch_len())?,
        })
    }

    fn write(&mut self, on: &Stream, x: &Inputs) -> Result<(), Error> {
        self.logits.write(on, &x.logits)?;
        self.actions.write(on, &x.actions)?;
        self.scores.write(on, &x.scores)?;
        self.v_last.write(on, &x.v_last)?;
        self.flags[0].write(on, &bytes(&x.terminated))?;
        self.flags[1].write(on, &bytes(&x.truncated))?;
        self.tokens.iter_mut().zip(&x.tokens).try_for_each(|(to, x)| to.write(on, x))
    }

    /// An array of this, as another framework would hand it in.
    fn raw<'a>(on: &Stream, of: &Buffer<f32>) -> View<'a, f32> {
        // SAFETY: the buffer outlives the test's last launch; what writes it comes before or after on the stream.
        unsafe { View::from_raw(on, of.address().0, of.len()) }
    }

    fn raw_mut<'a>(on: &Stream, of: &Buffer<f32>, from: usize, len: usize) -> ViewMut<'a, f32> {
        // SAFETY: as above, and within it.
        unsafe { ViewMut::from_raw(on, of.address().at::<f32>(from).0, len) }
    }

    /// Asks for the step.
    fn run(&self, on: &Stream, batch: &Batch<'_>, by: &Choices) -> Result<(), Error> {
        let array = |name: &str| &self.arrays[ARRAYS.iter().position(|other| *other == name).unwrap()];
        let get = |name: &str| OnDevice::raw(on, array(name));
        let put = |name: &str| OnDevice::raw_mut(on, array(name), 0, array(name).len());
        let figure = |from, len| OnDevice::raw_mut(on, &self.figures, from, len);
        let scratch = || OnDevice::raw_mut(on, &self.scratch, 0, self.scratch.len());
        let [logp_ref, v_old, v, weights, apart, v_boot] = core::array::from_fn(|i| self.tokens[i].view());
        let actions = self.actions.view();
        let logits = cuda::Logits::strided(self.logits.view(), VOCAB, VOCAB)?;
        let out = cuda::TokenOut {
            logp: Some(put("logp")),
            ent: Some(put("ent")),
            max: Some(put("max")),
            ln_sum: Some(put("ln_sum")),
            max_ent: Some(put("max_ent")),
            ln_sum_ent: Some(put("ln_sum_ent")),
        };
        cuda::token_pass(on, logits, actions, batch, TAU, by.tau_ent, out)?;
        cuda::returns(on, get("logp"), apart, batch, put("logp_old"))?;
        cuda::kl(on, get("logp_old"), logp_ref, batch, by.estimate(), put("k"))?;
        cuda::place_scores(on, self.scores.view(), by.score_at, 2.0, batch, Some(batch), put("placed"))?;
        cuda::reward(on, get("placed"), Some(get("k")), 0.05, batch, put("r"))?;
        let ends = cuda::Ends {
            v_last: Some(self.v_last.view()),
            terminated: Some(self.flags[0].view()),
            truncated: Some((self.flags[1].view(), v_boot)),
        };
        let out = cuda::GaeOut { adv: put("adv"), ret: Some(put("ret")) };
        let lambda = cuda::Lambda::One(0.95);
        cuda::gae(on, get("r"), v_old, batch, &ends, by.gap, GAMMA, lambda, out, scratch())?;
        cuda::whiten(on, get("adv"), batch, by.whitening, put("white"), figure(0, 2), scratch())?;
        cuda::returns(on, get("adv"), v_old, batch, put("again"))?;
        let out = cuda::PolicyOut {
            per_token: Some(put("per_token")),
            ratio: Some(put("ratio")),
            grad: Some(cuda::Grad { c: 1.0, to: put("g_logp") }),
            figures: figure(2, 4),
        };
        let (logp, white) = (get("logp"), get("white"));
        cuda::policy_loss(
            on,
            logp,
            get("logp_old"),
            white,
            batch,
            Some(weights),
            &clip(),
            by.agg,
            out,
            scratch(),
        )?;
        let grad = Some(cuda::Grad { c: by.coefficients.c_v, to: put("g_v") });
        let out = cuda::ValueOut { per_token: None, grad, figures: figure(6, 2) };
        let (form, agg) = (by.form, by.agg);
        cuda::value_loss(on, v, v_old, get("ret"), batch, EPS_V, form, agg, by.half, out, scratch())?;
        cuda::aggregate(on, get("ent"), batch, by.agg, figure(8, 1), scratch())?;
        cuda::aggregate_grad(on, batch, by.agg, -by.coefficients.c_h, put("g_ent"))?;
        let grad = Some(cuda::Grad { c: by.coefficients.beta_loss, to: put("g_logp") });
        let out = cuda::KlOut { grad, put: Put::Add, loss: figure(9, 1) };
        cuda::kl_loss(on, logp, logp_ref, batch, by.estimate(), by.slope, by.agg, out, scratch())?;
        let [policy, value, ent, kl] = [2, 6, 8, 9].map(|i| figure(i, 1));
        let (value, ent, kl) = (Some(value.view()), Some(ent.view()), Some(kl.view()));
        cuda::total_loss(on, policy.view(), value, ent, kl, by.coefficients, figure(10, 1))?;
        let of_ent = Some((get("max_ent"), get("ln_sum_ent")));
        let stats = cuda::TokenStats { ent: get("ent"), max: get("max"), ln_sum: get("ln_sum"), of_ent };
        let place = OnDevice::raw_mut(on, &self.logits, 0, self.logits.len());
        let place = cuda::LogitsMut::strided(place, VOCAB, VOCAB)?;
        let (g_logp, g_ent) = (get("g_logp"), get("g_ent"));
        cuda::token_pass_grad_in_place(on, place, actions, batch, TAU, by.tau_ent, stats, g_logp, g_ent)
    }

    fn assert_is(&self, what: &str, on: &Stream, want: &Left) {
        let compare = |name: &str, got: &Buffer<f32>, want: &[f32]| {
            let got = got.read(on).unwrap();
            let differs = got.iter().zip(want).position(|(got, want)| !same(*got, *want));
            if let Some(i) = differs {
                panic!("{what}: {name}: at {i} {:e}, not {:e}", got[i], want[i]);
            }
        };
        for ((name, got), want) in ARRAYS.iter().zip(&self.arrays).zip(&want.0) {
            compare(name, got, want);
        }
        compare("figures", &self.figures, &want.1);
        compare("logits", &self.logits, &want.2);
    }
}

fn devices() -> impl Iterator<Item = Backend> {
    Backend::available().into_iter().filter(|on| on.is_device())
}

#[test]
fn a_step_on_the_device_is_recorded_once_and_gives_the_bits_of_the_cpu_each_time() {
    for case in 0..12 {
        let (n, layout, by) =
            ([1, 9, 130, 517, 1025, 2049][case % 6], LAYOUTS[(case + case / 6) % 3], Choices::new(case));
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

#[test]
fn what_cannot_be_recorded_is_refused_and_leaves_the_stream_as_it_was() {
    for backend in devices() {
        let on = Stream::new(backend).unwrap();
        let mut buffer = Buffer::new(&on, &[1.0f32, 2.0]).unwrap();
        let said = |run: &dyn Fn(&Stream) -> Result<(), Error>| on.record(run).unwrap_err().to_string();
        assert!(said(&|on| Stream::wait(on)).ends_with("`wait` while the stream is being recorded"));
        assert!(said(&|on| buffer.read(on).map(drop)).ends_with("`wait` while the stream is being recorded"));
        assert!(said(&|on| Buffer::<f32>::room(on, 1).map(drop)).contains("`room`"));
        assert!(said(&|on| on.record(|_| Ok(())).map(drop)).contains("`record`"));
        buffer.write(&on, &[3.0, 4.0]).unwrap();
        assert_eq!(buffer.read(&on).unwrap(), [3.0, 4.0]);
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused_by_name() {
    let valid = [true, true, false];
    let mask = Mask::padded(&valid, 1, 3).unwrap();
    for backend in devices() {
        let on = Stream::new(backend).unwrap();
        let batch = Batch::new(&on, &mask).unwrap();
        let (x, short) = (Buffer::new(&on, &[1.0f32; 3]).unwrap(), Buffer::new(&on, &[1.0f32; 2]).unwrap());
        let mut one = Buffer::<f32>::room(&on, 1).unwrap();
        let mut scratch = Buffer::<f32>::room(&on, batch.scratch_len()).unwrap();
        let (agg, mut less) = (Agg::TokenMean, Buffer::<f32>::room(&on, batch.scratch_len() - 1).unwrap());
        let mut run = |x: &Buffer<f32>, scratch: &mut Buffer<f32>| {
            let done = cuda::aggregate(&on, x.view(), &batch, agg, one.view_mut(), scratch.view_mut());
            done.map_err(|err| err.to_string())
        };
        assert_eq!(run(&x, &mut scratch), Ok(()));
        let said = run(&short, &mut scratch).unwrap_err();
        assert!(said.starts_with("cuda::aggregate: `x` has 2") || said.contains("`x`"), "{said}");
        let said = run(&x, &mut less).unwrap_err();
        assert!(said.contains("`scratch`") && said.contains("`scratch_len`"), "{said}");
        assert_eq!(one.read(&on).unwrap(), [1.0]);
    }
    let on_a_cpu = Stream::new(Backend::best()).unwrap_err().to_string();
    assert!(on_a_cpu.contains("stream"), "{on_a_cpu}");
}

#[test]
fn an_action_outside_the_vocabulary_makes_its_token_nan_on_a_device() {
    let valid = [true, true];
    let mask = Mask::padded(&valid, 1, 2).unwrap();
    for backend in devices() {
        let on = Stream::new(backend).unwrap();
        let batch = Batch::new(&on, &mask).unwrap();
        let (logits, actions) =
            (Buffer::new(&on, &[0.0f32; 4]).unwrap(), Buffer::new(&on, &[1u32, 1 << 30]).unwrap());
        let mut logp = Buffer::<f32>::room(&on, 2).unwrap();
        let x = cuda::Logits::strided(logits.view(), 2, 2).unwrap();
        let out = cuda::TokenOut { logp: Some(logp.view_mut()), ..cuda::TokenOut::default() };
        cuda::token_pass(&on, x, actions.view(), &batch, 1.0, 1.0, out).unwrap();
        let got = logp.read(&on).unwrap();
        assert!(got[0] == -core::f32::consts::LN_2 && got[1].is_nan(), "{got:?}");
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
