//! The fast path behind the command: `ppo step --backend` and `ppo train --backend`.

use crate::pytorch::sample;
use conformance::{
    budget::{Budget, Precision},
    dump::{Dump, Inputs},
    engine::{Engine, step},
    evaluate::{Evaluation, evaluate, grad_logits_row},
    outputs::{OUTPUTS, Value},
    report::difference,
    train::{Arithmetic, Iterated, Plan, Recipe, Trainer, write_dump},
};
use nalgebra::DMatrix;
use optimized::Backend;
use reference::{
    Coefficients, Kl, KlEstimate, Listing, Mask, ScoreAt, Settings,
    iteration::{self, Batch, Inner, NormClip},
    rng::Rng,
    two_heads::TwoHeads,
};
use safetensors::{Dtype, SafeTensors, serialize_to_file, tensor::TensorView};
use std::{
    fs,
    path::{Path, PathBuf},
};

const SAMPLES: [&str; 3] = ["step.safetensors", "step-as-printed.safetensors", "options-f64.safetensors"];

/// An output of the evaluation as numbers; none where it was not computed.
fn numbers(e: &Evaluation, name: &str) -> Vec<f64> {
    match e.output(name) {
        None => Vec::new(),
        Some(Value::Scalar(x)) => vec![x],
        Some(Value::PerToken(x)) => x.iter().copied().collect(),
    }
}

/// A copy of a dump whose numbers f32 holds, so that both sides start from the same ones.
fn as_f32(path: &Path, folder: &Path) -> PathBuf {
    let bytes = fs::read(path).unwrap();
    let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let narrow = |tensor: &TensorView<'_>| -> (Dtype, Vec<u8>) {
        let rounded = |x: &[u8; 8]| (f64::from_le_bytes(*x) as f32).to_le_bytes();
        match tensor.dtype() {
            Dtype::F64 => (Dtype::F32, tensor.data().as_chunks::<8>().0.iter().flat_map(rounded).collect()),
            other => (other, tensor.data().to_vec()),
        }
    };
    let tensors: Vec<_> = file.iter().map(|(name, of)| (name, of.shape().to_vec(), narrow(&of))).collect();
    let views = tensors
        .iter()
        .map(|(name, shape, (dtype, data))| (*name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let to = folder.join("f32.safetensors");
    serialize_to_file(views, metadata, &to).unwrap();
    to
}

/// What the fast path makes of a dump of f32, on every backend alike and within the budget of the reference's
/// evaluation of it: every output, and the gradient of the logits.
fn compare(path: &Path) {
    let dump = Dump::open(path).unwrap();
    let chosen = dump.choose(&[]).unwrap();
    let inputs = || Inputs::load(&dump, &chosen).unwrap();
    let by = |engine| evaluate(engine, &mut inputs(), &chosen).unwrap();
    let truth = by(Engine::Reference);
    let budget = Budget::of(Precision::F32, &truth, &mut inputs(), &chosen).unwrap();
    let best = Engine::Fast(Backend::best());
    let fast = by(best);
    for on in Backend::available() {
        assert_eq!(by(Engine::Fast(on)), fast, "{} on {on}", path.display());
    }
    for output in OUTPUTS {
        let (want, got) = (numbers(&truth, output.name), numbers(&fast, output.name));
        let allowed = match budget.per_token(output.name) {
            Some(allowed) => allowed.iter().copied().collect(),
            None => budget.scalar(output.name).into_iter().collect::<Vec<_>>(),
        };
        assert_eq!(want.len(), got.len(), "{}: {}", path.display(), output.name);
        within(output.name, &want, &got, &allowed);
    }
    let settings = chosen.settings.as_listed();
    let (mut z, mut inputs) = (Vec::new(), inputs());
    for row in 0..inputs.shape.b {
        for t in inputs.mask.tokens_of(row) {
            inputs.logits.as_mut().unwrap().row((row, t), None, &mut z).unwrap();
            let by =
                |engine, e| grad_logits_row(engine, e, &inputs, &settings, (row, t), &z).unwrap().unwrap();
            let allowed = budget.grad_logits_row(&inputs, &settings, (row, t), &z).unwrap();
            within("grad_logits", &by(Engine::Reference, &truth), &by(best, &fast), &allowed);
        }
    }
}

fn within(name: &str, want: &[f64], got: &[f64], allowed: &[f64]) {
    for ((want, got), allowed) in want.iter().zip(got).zip(allowed) {
        let off = difference(*want, *got);
        assert!(off <= *allowed, "{name}: {got} for {want}, off {off:e} of {allowed:e}");
    }
}

#[test]
fn the_fast_path_evaluates_every_sample_within_the_budget_and_alike_on_every_backend() {
    for name in SAMPLES {
        let folder = tempfile::tempdir().unwrap();
        compare(&as_f32(&sample(name), folder.path()));
    }
}

/// Ten updates of four epochs: each epoch starts from where the reference is, so that what is compared is one
/// step's arithmetic and not how two trajectories drift apart.
#[test]
fn ten_updates_of_four_epochs_keep_the_budget_where_each_step_restarts_from_the_reference() {
    let flags =
        [("batch", "6"), ("gamma", "0.9"), ("lam", "0.8"), ("kl_coef", "0.05"), ("kl_loss_coef", "0.1")];
    let plan = Plan::new(&flags.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let mut trainer = Trainer::new(plan.recipe, 7);
    assert_eq!(plan.recipe.inner.epochs, 4);
    for _ in 0..10 {
        let whole = trainer.iterate_whole().unwrap();
        for epochs in 1..=4 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("epoch.safetensors");
            let part = Iterated { epochs: whole.epochs[..epochs].to_vec(), ..whole.clone() };
            write_dump(&path, &plan, &part).unwrap();
            compare(&as_f32(&path, folder.path()));
        }
    }
}

/// A model of two linear heads on fixed states: two epochs move it.
fn model(mask: &Mask) -> (TwoHeads, Batch) {
    let (b, t_len) = mask.shape();
    let mut rng = Rng::new(11);
    let model = TwoHeads {
        h: (0..b).map(|_| rng.matrix(t_len, 3, 1.0)).collect(),
        w_lm: rng.matrix(5, 3, 0.5),
        w_v: rng.matrix(1, 3, 0.5).row(0).into_owned(),
        mask: mask.clone(),
    };
    let batch = Batch {
        mask: mask.clone(),
        actions: DMatrix::from_fn(b, t_len, |row, t| (row + 2 * t) % 5),
        scores: rng.matrix(b, 1, 1.0),
        logp_ref: Some(rng.matrix(b, t_len, 0.3).map(|x| x - 1.5)),
        ends: reference::Ends::stop(b, t_len),
    };
    (model, batch)
}

/// The engine's iteration is the listing's: by the reference, to the bit, whatever is chosen.
#[test]
fn the_engine_s_iteration_by_the_reference_is_the_reference_s() {
    let mask = conformance::cases::mask("1110/1100/1111");
    let kl = KlEstimate::plain(Kl::K3);
    let all = Settings {
        gamma: 0.9,
        lambda: 0.8,
        lambda_critic: Some(0.7),
        beta_kl: 0.1,
        kl,
        coefficients: Coefficients { c_v: 0.5, c_h: 0.01, beta_loss: 0.2 },
        tau: 0.9,
        tau_ent: 1.1,
        ..Settings::default()
    };
    let settings = [
        all,
        Settings { listing: Listing::AS_PRINTED, ..all },
        Settings { whitening: None, score_at: ScoreAt::FirstPad, ..all },
        Settings { lambda_critic: None, ..all },
    ];
    let inner =
        Inner { epochs: 2, max_norm: 1.0, norm_clip: NormClip::Joint, adam: Recipe::default().inner.adam };
    for settings in settings {
        let run = |by_engine: bool| {
            let slots = if settings.listing.unmasked {
                Mask::full(3, 4)
            } else if settings.score_at == ScoreAt::FirstPad {
                mask.with_first_pad()
            } else {
                mask.clone()
            };
            let (mut model, mut batch) = model(&slots);
            batch.mask = mask.clone();
            let shapes = iteration::ActorCritic::parameters(&model);
            let mut adam: Vec<_> =
                shapes.iter().map(|theta| reference::adam::AdamState::new(theta.shape())).collect();
            if by_engine {
                step::iteration(Engine::Reference, &mut model, &mut adam, &batch, &settings, &inner).unwrap()
            } else {
                iteration::iteration(&mut model, &mut adam, &batch, &settings, &inner)
            }
        };
        let ((_, targets, epochs), (_, want_targets, want)) = (run(true), run(false));
        assert_eq!(targets, want_targets, "{settings:?}");
        for (got, want) in epochs.iter().zip(&want) {
            assert_eq!((&got.now, &got.losses, &got.parameters), (&want.now, &want.losses, &want.parameters));
        }
    }
}

/// Ten updates of four epochs, left alone: one run, whatever the backend and the threads, and another than the
/// reference's.
#[test]
fn a_training_on_the_fast_path_is_the_same_run_on_every_backend_and_thread_count() {
    let recipe = Recipe { arithmetic: Arithmetic::Fast, b: 6, ..Recipe::default() };
    let run = |recipe: Recipe, backend: Backend, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = Trainer { backend, ..Trainer::new(recipe, 3) };
            let metrics: Vec<_> = (0..10).map(|_| trainer.iterate().unwrap()).collect();
            (metrics, trainer.state)
        })
    };
    let want = run(recipe, Backend::best(), 1);
    for (backend, threads) in Backend::available().into_iter().zip([1, 2, 3].into_iter().cycle()) {
        assert_eq!(run(recipe, backend, threads), want, "{backend}, {threads} threads");
    }
    let reference = run(Recipe { arithmetic: Arithmetic::Reference, ..recipe }, Backend::best(), 1);
    assert_ne!(reference.1.model, want.1.model);
}
