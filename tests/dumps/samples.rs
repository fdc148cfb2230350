//! The sample rollouts, as PyTorch wrote them.

use conformance::dump::{Dump, Inputs, Source};
use std::path::Path;

fn sample(name: &str) -> Dump {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    Dump::open(folder.join(name)).unwrap()
}

#[test]
fn every_sample_is_read_with_its_settings() {
    for name in ["step", "step-f64", "step-as-printed", "step-as-printed-f64", "options-f64"] {
        let dump = sample(&format!("{name}.safetensors"));
        let chosen = dump.choose(&[]).unwrap();
        assert_eq!(chosen.unknown, ["made_by"], "{name}");
        assert!(dump.roles().unknown.is_empty(), "{name}");
        assert_eq!(chosen.setting("gamma").unwrap().from, Source::Metadata);
        let inputs = Inputs::load(&dump, &chosen).unwrap();
        assert_eq!((inputs.shape.b, inputs.shape.t_len, inputs.shape.vocab), (7, 18, Some(27)));
        let ends = inputs.ends.unwrap();
        assert_eq!(ends.v_last.iter().filter(|v| **v != 0.0).count(), 2, "two rows are cut off");
        assert_eq!(inputs.rollout_is_weights.is_some(), name == "options-f64");
        let log_probs = dump.output_matrix("log_probs").unwrap().unwrap();
        assert_eq!(log_probs.shape(), (7, 18));
        assert!(dump.output_scalar("total_loss").unwrap().unwrap().is_finite());
    }
}
