//! One rollout, written as four trainers might, and what the checker says of each:
//! `cargo run -p ppo-book --example check`. `ppo check FILE` prints the same and more.

use book::{Transcript, number};
use conformance::{
    check::{Finding, check},
    dump::{Dump, Entry, Writer},
};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Ends, EpsAt, Gap, Half, Listing, Mask, Settings,
    step::{Now, Rollout, losses, rollout_phase},
};
use std::{collections::BTreeMap, fs};

type Wrong = Box<dyn std::error::Error>;

/// What each file states: nothing of conventions.
const STATED: [(&str, &str); 2] = [("gamma", "0.9"), ("lam", "0.8")];

fn main() -> Result<(), Wrong> {
    print!("{}", listing()?);
    Ok(())
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Result<Transcript, Wrong> {
    let mut text = Transcript::new();
    let settings = Settings { gamma: 0.9, lambda: 0.8, ..Settings::default() };

    text.section("right");
    told(&mut text, &tensors(&settings))?;

    text.section("whitened");
    let listing = Listing { returns_from_whitened: true, ..Listing::CORRECTED };
    told(&mut text, &tensors(&Settings { listing, ..settings }))?;

    text.section("convention");
    let mut verl = Settings { half: Half::Yes, eps_v: 0.5, ..settings };
    if let Some(how) = &mut verl.whitening {
        how.eps_at = EpsAt::UnderRoot;
    }
    told(&mut text, &tensors(&verl))?;

    text.section("decay");
    told(&mut text, &tensors(&Settings { gap: Gap::Decay, ..settings }))?;

    text.section("two");
    let mut two = tensors(&Settings { listing, ..settings });
    two.retain(|(name, ..)| *name != "returns");
    told(&mut text, &two)?;

    text.section("unknown");
    let mut odd = tensors(&settings);
    odd.retain(|(name, ..)| *name != "vf_loss");
    let returns = odd.iter_mut().find(|(name, ..)| *name == "returns").ok_or("no returns")?;
    returns.2[3] += 0.125;
    told(&mut text, &odd)?;
    Ok(text)
}

/// A tensor: name, shape, numbers row by row.
type Tensor = (&'static str, Vec<usize>, Vec<f64>);

/// Two responses of which the second called a tool, with the step's outputs by these settings.
fn tensors(settings: &Settings) -> Vec<Tensor> {
    let mask = Mask::from_rows(&[[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]]);
    let v_old = dmatrix![0.2, 0.1, 0.4, 0.3, 9.9, -7.7; 0.0, 0.5, 3.3, -2.2, 0.25, 0.75];
    let logp_old = dmatrix![-1.1, -0.7, -2.0, -0.4, 0.0, 0.0; -0.3, -1.6, 0.0, 0.0, -0.9, -1.2];
    let rollout = Rollout {
        attended: None,
        scores: dmatrix![1.0; -0.5],
        logp_ref: None,
        ends: Ends::stop(2, 6),
        weights: None,
        mask: mask.clone(),
        v_old: v_old.clone(),
        logp_old: logp_old.clone(),
    };
    // Further than every clip on one side or the other.
    let drift = dmatrix![0.4, -0.4, 0.1, 0.6, 0.0, 0.0; -0.3, 0.5, 0.0, 0.0, 0.2, -0.6];
    let now = Now { logp: &logp_old + &drift, v: &v_old - 1.25 * &drift, ent: DMatrix::zeros(2, 6) };
    let targets = rollout_phase(&rollout, settings);
    let losses = losses(&rollout, &targets, &now, settings);
    let valid = DMatrix::from_fn(2, 6, |row, t| f64::from(u8::from(mask.has((row, t)))));
    let grid = |name, x: &DMatrix<f64>| (name, vec![2, 6], x.transpose().iter().copied().collect());
    vec![
        grid("response_mask", &valid),
        ("scores", vec![2], vec![1.0, -0.5]),
        grid("old_values", &v_old),
        grid("values", &now.v),
        grid("old_log_probs", &logp_old),
        grid("log_probs", &now.logp),
        grid("advantages_raw", &targets.adv_raw),
        grid("returns", &targets.ret),
        grid("whitened", &targets.adv),
        ("pg_loss", vec![], vec![losses.policy.loss]),
        ("vf_loss", vec![], vec![losses.value.loss]),
    ]
}

/// Writes the file, checks it, and says what was found.
fn told(text: &mut Transcript, tensors: &[Tensor]) -> Result<(), Wrong> {
    let path = std::env::temp_dir().join(format!("ppo-book-{}.safetensors", std::process::id()));
    let entries: Vec<Entry> =
        tensors.iter().map(|(name, shape, _)| Entry::new(*name, shape.clone())).collect();
    let stated: BTreeMap<String, String> = STATED.map(|(key, value)| (key.into(), value.into())).into();
    let mut writer = Writer::create(&path, &entries, &stated)?;
    for (name, _, x) in tensors {
        writer.part(name, x)?;
    }
    writer.finish()?;
    let report = check(&Dump::open(&path)?, &[]);
    fs::remove_file(&path)?;
    for finding in report?.findings {
        let mark = if finding.failed() { '✗' } else { '✓' };
        let (expected, got) = (finding.compared.expected, finding.compared.got);
        let [expected, got] = [expected, got].map(|x| number(x, 6));
        text.line(format!("{:<16}{mark}  expected {expected:>9}, got {got:>9}", finding.output));
        said(&finding).into_iter().for_each(|line| text.line(format!("    {line}")));
    }
    Ok(())
}

/// Each explanation: what was chosen otherwise, and which mistakes.
fn said(finding: &Finding) -> Vec<String> {
    let of = |fit: &conformance::check::Fit| {
        let changed = fit.changed.iter().map(|(choice, value)| format!("{} = {}", choice.key, value.value));
        let mistakes = fit.mistakes.iter().map(|bug| format!("{} in {}: {}", bug.name, bug.of, bug.says));
        changed.chain(mistakes).collect::<Vec<_>>().join(" and ")
    };
    let pattern = finding.pattern.iter().cloned();
    finding.fits.iter().map(of).chain(pattern).collect()
}
