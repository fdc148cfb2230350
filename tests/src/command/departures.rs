//! The departures of the post, each switched on alone, and what that changes.

use super::table::number;
use conformance::{
    dump::{BadInput, Chosen, Inputs},
    engine::Engine,
    evaluate::{Evaluation, evaluate},
    outputs::Value,
};
use nalgebra::DMatrix;
use reference::Listing;

/// One departure: its name, its row in the errata, and what it does in a few words.
struct Departure {
    name: &'static str,
    erratum: &'static str,
    says: &'static str,
    /// Where it changes nothing.
    silent: &'static str,
    set: fn(&mut Listing),
}

const DEPARTURES: [Departure; 5] = [
    Departure {
        name: "returns-from-whitened",
        erratum: "S1",
        says: "returns = whitened advantages + old values",
        silent: "no critic",
        set: |listing| listing.returns_from_whitened = true,
    },
    Departure {
        name: "unmasked",
        erratum: "S8",
        says: "GAE and every mean run over padding too",
        silent: "no padding",
        set: |listing| listing.unmasked = true,
    },
    Departure {
        name: "unshaped-reward",
        erratum: "S7",
        says: "no KL in the reward",
        silent: "no KL in the reward",
        set: |listing| listing.unshaped_reward = true,
    },
    Departure {
        name: "entropy-added",
        erratum: "S10",
        says: "entropy added to a minimised loss",
        silent: "no entropy coefficient",
        set: |listing| listing.entropy_added = true,
    },
    Departure {
        name: "shared-clip-radius",
        erratum: "S13",
        says: "the ratio's radius clips values",
        silent: "both radii are the same",
        set: |listing| listing.shared_clip_radius = true,
    },
];

/// The parts of the step that a departure is judged by; the total, whose parts nearly cancel, only where it
/// changes nothing else.
const PARTS: [&str; 6] = ["pg_loss", "vf_loss", "entropy_loss", "pg_clipfrac", "vf_clipfrac", "ppo_kl"];

/// What one departure changes most.
struct Change {
    departure: &'static Departure,
    scalar: &'static str,
    from: f64,
    to: f64,
    /// |to − from| / |from|.
    relative: f64,
}

/// `score-broadcast` is left out: it is possible only where B = L.
///
/// One line per departure that changes something, the largest relative change first. `load` gives the inputs
/// under a listing: the mask they were checked with depends on it.
pub(crate) fn report(
    chosen: &Chosen,
    load: impl Fn(&Chosen) -> Result<Inputs, BadInput>,
) -> Result<String, BadInput> {
    let run = |listing: Listing| {
        let mut chosen = chosen.clone();
        chosen.settings.listing = listing;
        evaluate(Engine::Reference, &mut load(&chosen)?, &chosen)
    };
    let corrected = run(Listing::CORRECTED)?;
    let (mut changes, mut silent, mut level) = (Vec::new(), Vec::new(), None);
    for departure in &DEPARTURES {
        let mut listing = Listing::CORRECTED;
        (departure.set)(&mut listing);
        let departed = run(listing)?;
        if listing.returns_from_whitened {
            level = levels(&load(chosen)?, &corrected, &departed);
        }
        match change(departure, &corrected, &departed) {
            Some(change) => changes.push(change),
            None => silent.push(format!("{} ({})", departure.name, departure.silent)),
        }
    }
    changes.sort_by(|a, b| b.relative.total_cmp(&a.relative));
    let mut text: String = changes.iter().map(line).collect();
    text.push_str(&level.unwrap_or_default());
    if !silent.is_empty() {
        text.push_str(&format!("  No change by {}.\n", silent.join("; ")));
    }
    Ok(text)
}

fn line(change: &Change) -> String {
    let Departure { name, erratum, says, .. } = change.departure;
    let (from, to) = (number(change.from), number(change.to));
    format!("  {name:<22} {erratum:<4} {:<12} {from} -> {to}   {says}\n", change.scalar)
}

fn change(departure: &'static Departure, corrected: &Evaluation, departed: &Evaluation) -> Option<Change> {
    let scalar = |e: &Evaluation, name| match e.output(name) {
        Some(Value::Scalar(x)) => Some(x),
        _ => None,
    };
    let changed = |name: &&'static str| {
        let (from, to) = (scalar(corrected, name)?, scalar(departed, name)?);
        let relative = (to - from).abs() / from.abs();
        (from != to).then_some(Change { departure, scalar: name, from, to, relative })
    };
    let most = PARTS.iter().filter_map(changed).max_by(|a, b| a.relative.total_cmp(&b.relative));
    most.or_else(|| changed(&"total_loss"))
}

/// What the first departure does to the critic, in one number: its target gets its own mean.
fn levels(inputs: &Inputs, corrected: &Evaluation, departed: &Evaluation) -> Option<String> {
    let mask = &inputs.value_mask;
    let mean = |x: &DMatrix<f64>| mask.sum(x) / mask.count() as f64;
    let [v_old, from, to] =
        [inputs.old_values.as_ref()?, corrected.ret.as_ref()?, departed.ret.as_ref()?].map(mean);
    Some(format!(
        "  With returns-from-whitened the mean return is that of the old values, {} for {}, not {}:\n  nothing \
         pulls the critic's level, whatever the rewards.\n",
        number(to),
        number(v_old),
        number(from)
    ))
}
