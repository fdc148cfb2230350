//! Rollouts to be checked: inputs of which every term has something to read, and outputs beside them.

use conformance::{
    check::{
        Finding, Report, check,
        step::{Numbers, Step},
    },
    dump::{Dump, Entry, Writer},
    outputs::OUTPUTS,
};
use reference::rng::Rng;
use safetensors::{Dtype, tensor::TensorView};
use std::path::{Path, PathBuf};

/// A file in the making: tensors by name, settings as metadata.
#[derive(Clone, Default)]
pub(crate) struct Scene {
    tensors: Vec<(String, Vec<usize>, Vec<f64>)>,
    metadata: Vec<(String, String)>,
    /// Tensors that are stored in f32.
    f32s: Vec<String>,
}

impl Scene {
    pub(crate) fn tensor(mut self, name: &str, shape: &[usize], x: &[f64]) -> Scene {
        assert_eq!(shape.iter().product::<usize>(), x.len(), "{name}");
        self.tensors.retain(|(other, ..)| other != name);
        self.tensors.push((name.to_owned(), shape.to_vec(), x.to_vec()));
        self
    }

    pub(crate) fn says(mut self, key: &str, value: &str) -> Scene {
        self.metadata.retain(|(other, _)| other != key);
        self.metadata.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn unsays(mut self, key: &str) -> Scene {
        self.metadata.retain(|(other, _)| other != key);
        self
    }

    /// The same with a tensor in f32.
    pub(crate) fn stores_f32(mut self, name: &str) -> Scene {
        self.f32s.push(name.to_owned());
        self
    }

    /// One row, all of it valid.
    pub(crate) fn row(self, name: &str, x: &[f64]) -> Scene {
        self.tensor(name, &[1, x.len()], x)
    }

    /// The same with an output of the step beside it.
    pub(crate) fn with(self, name: &str, numbers: &Numbers) -> Scene {
        match numbers {
            Numbers::Scalar(x) => self.tensor(name, &[], &[x.value]),
            Numbers::PerToken(grid) => {
                let x: Vec<f64> = grid.transpose().iter().map(|x| x.value).collect();
                self.tensor(name, &[grid.nrows(), grid.ncols()], &x)
            }
            Numbers::Logits(_) => panic!("{name} is never held whole"),
        }
    }

    /// Gaps, padding, a row that was cut off, one with two episodes and one without tokens; what it states is stated.
    pub(crate) fn rich() -> Scene {
        let valid = [[1, 1, 0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0], [0; 8]];
        let attended = [[1; 8], [1; 8], [1, 1, 1, 1, 1, 0, 0, 0], [0; 8]];
        let terminated = [[0; 8], [0, 0, 1, 0, 0, 0, 0, 0], [0; 8], [0; 8]];
        let flags =
            |rows: [[i32; 8]; 4]| rows.as_flattened().iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        Scene::of(4, 8, 7)
            .tensor("response_mask", &[4, 8], &flags(valid))
            .tensor("attention_mask", &[4, 8], &flags(attended))
            .tensor("terminated", &[4, 8], &flags(terminated))
            .tensor("truncated", &[4], &[0.0, 1.0, 0.0, 0.0])
            .tensor("last_values", &[4], &[0.0, 0.75, 0.0, 0.0])
    }

    /// Every slot valid, of any size.
    pub(crate) fn sized(b: usize, t_len: usize) -> Scene {
        Scene::of(b, t_len, 5)
    }

    /// Some of its rows as a file of its own, so many slots narrower; a scalar stays as it is.
    pub(crate) fn rows(&self, rows: core::ops::Range<usize>, narrower: usize) -> Scene {
        let cut = |(name, shape, x): &(String, Vec<usize>, Vec<f64>)| {
            let Some((b, of_row)) = shape.split_first() else {
                return (name.clone(), shape.clone(), x.clone());
            };
            let (size, last) = (x.len() / b, of_row.first().map_or(1, |t_len| t_len - narrower));
            let vocab = of_row.get(1).copied().unwrap_or(1);
            let row = |row: usize| &x[row * size..row * size + last * vocab];
            let mut shape = shape.clone();
            shape[0] = rows.len();
            shape.iter_mut().skip(1).take(1).for_each(|t_len| *t_len -= narrower);
            (name.clone(), shape, rows.clone().flat_map(row).copied().collect())
        };
        Scene { tensors: self.tensors.iter().map(cut).collect(), ..self.clone() }
    }

    /// Without a tensor.
    pub(crate) fn without(mut self, name: &str) -> Scene {
        self.tensors.retain(|(other, ..)| other != name);
        self
    }

    /// As many rows as tokens, so that a (B) tensor broadcasts over (B, L).
    pub(crate) fn square() -> Scene {
        Scene::of(5, 5, 3)
    }

    fn of(b: usize, t_len: usize, seed: u64) -> Scene {
        let (mut rng, vocab, n) = (Rng::of(&[seed]), 6, b * t_len);
        let mut draw = |n: usize, size: f64| (0..n).map(|_| size * rng.normal()).collect::<Vec<f64>>();
        let near = |of: &[f64], by: Vec<f64>| of.iter().zip(by).map(|(x, y)| x + y).collect::<Vec<f64>>();
        let (scores, old_values) = (draw(b, 1.0), draw(n, 1.0));
        let values = near(&old_values, draw(n, 0.8));
        // Log-probs about as large as those of the logits, so that ratios lie on both sides of 1.
        let [old_log_probs, ref_log_probs] = [(); 2].map(|()| near(&vec![-1.8; n], draw(n, 0.6)));
        let logits = draw(n * vocab, 1.0);
        let actions: Vec<f64> = (0..n).map(|i| (i * 5 % vocab) as f64).collect();
        let per_token = [
            ("old_values", old_values),
            ("values", values),
            ("old_log_probs", old_log_probs),
            ("ref_log_probs", ref_log_probs),
            ("actions", actions),
        ];
        let scene = per_token
            .iter()
            .fold(Scene::default(), |scene, (name, x)| scene.tensor(name, &[b, t_len], x))
            .tensor("scores", &[b], &scores)
            .tensor("logits", &[b, t_len, vocab], &logits);
        let stated = [("gamma", "0.9"), ("lam", "0.8"), ("kl_coef", "0.1"), ("clip_ratio_c", "1.25")];
        let stated = stated.into_iter().chain([("entropy_temperature", "0.7"), ("eps", "1e-5")]);
        stated.fold(scene, |scene, (key, value)| scene.says(key, value))
    }

    /// With every output that the step gives.
    pub(crate) fn complete(&self) -> Scene {
        self.step(|step, s| {
            let all = OUTPUTS.iter().filter_map(|output| Some((output.name, step.output(output.name, s)?)));
            all.fold(self.clone(), |scene, (name, numbers)| scene.with(name, &numbers))
        })
    }

    /// The same without the outputs after that one.
    pub(crate) fn until(mut self, name: &str) -> Scene {
        let at = OUTPUTS.iter().position(|output| output.name == name).unwrap();
        self.tensors.retain(|(of, ..)| OUTPUTS[at + 1..].iter().all(|output| output.name != of));
        self
    }

    /// The same with something else in the masked slots of every tensor per token that holds numbers.
    pub(crate) fn littered(mut self, litter: impl Fn(usize) -> f64) -> Scene {
        let of = |scene: &Scene, name: &str| scene.tensors.iter().position(|(other, ..)| other == name);
        let mask = of(&self, "response_mask").map(|at| self.tensors[at].clone());
        let Some((_, shape, mask)) = mask else { return self };
        let flags = ["response_mask", "attention_mask", "terminated", "truncated", "dones", "actions"];
        for (name, of, x) in &mut self.tensors {
            if *of == shape && !flags.contains(&name.as_str()) {
                let masked = x.iter_mut().zip(&mask).enumerate().filter(|(_, (_, valid))| **valid == 0.0);
                masked.for_each(|(at, (x, _))| *x = litter(at));
            }
        }
        self
    }

    /// Writes it to a file of its own and hands it over.
    pub(crate) fn open<T>(&self, what: impl FnOnce(Dump) -> T) -> T {
        self.written(|path| what(Dump::open(path).unwrap()))
    }

    /// The file itself.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.written(|path| std::fs::read(path).unwrap())
    }

    fn written<T>(&self, what: impl FnOnce(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("dump.safetensors");
        if !self.f32s.is_empty() {
            std::fs::write(&path, self.mixed()).unwrap();
            return what(&path);
        }
        let entry = |(name, shape, _): &(String, Vec<usize>, Vec<f64>)| match name.as_str() {
            "actions" => Entry::ids(name.as_str(), shape.clone()),
            _ => Entry::new(name.as_str(), shape.clone()),
        };
        let entries: Vec<Entry> = self.tensors.iter().map(entry).collect();
        let mut writer = Writer::create(&path, &entries, &self.metadata.iter().cloned().collect()).unwrap();
        self.tensors.iter().for_each(|(name, _, x)| writer.part(name, x).unwrap());
        writer.finish().unwrap();
        what(&path)
    }

    /// A file whose tensors are not all of one dtype.
    fn mixed(&self) -> Vec<u8> {
        let tensor = |(name, shape, x): &(String, Vec<usize>, Vec<f64>)| {
            let (dtype, bytes): (Dtype, Vec<u8>) = match name.as_str() {
                "actions" => (Dtype::I64, x.iter().flat_map(|x| (*x as i64).to_le_bytes()).collect()),
                _ if self.f32s.contains(name) => {
                    (Dtype::F32, x.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect())
                }
                _ => (Dtype::F64, x.iter().flat_map(|x| x.to_le_bytes()).collect()),
            };
            (name.clone(), dtype, shape.clone(), bytes)
        };
        let all: Vec<_> = self.tensors.iter().map(tensor).collect();
        let views = all.iter().map(|(name, dtype, shape, bytes)| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let metadata = self.metadata.iter().cloned().collect();
        safetensors::serialize(views, Some(metadata)).unwrap()
    }

    /// What `check` says of it.
    pub(crate) fn report(&self) -> Report {
        self.open(|dump| check(&dump, &[]).unwrap())
    }

    /// What it says of one output.
    pub(crate) fn finding(&self, output: &str) -> Finding {
        let report = self.report();
        let found = report.findings.into_iter().find(|finding| finding.output == output);
        found.unwrap_or_else(|| panic!("{output} was not compared"))
    }

    /// The step on its inputs.
    pub(crate) fn step<T>(&self, what: impl FnOnce(&Step, &reference::Settings) -> T) -> T {
        self.open(|dump| {
            let chosen = dump.choose(&[]).unwrap();
            let step = Step::load(&dump, &chosen, conformance::budget::Precision::F64).unwrap();
            what(&step, &chosen.settings.as_listed())
        })
    }
}

/// The names of the mistakes that a finding shows.
pub(crate) fn named(finding: &Finding) -> Vec<&'static str> {
    finding.fits.iter().flat_map(|fit| &fit.mistakes).map(|bug| bug.name).collect()
}

/// The choices that a finding shows, as `key = value`.
pub(crate) fn followed(finding: &Finding) -> Vec<Vec<String>> {
    let say =
        |(choice, value): &(&conformance::check::choices::Choice, &conformance::check::choices::Value)| {
            format!("{} = {}", choice.key, value.value)
        };
    finding
        .fits
        .iter()
        .filter(|fit| fit.mistakes.is_empty())
        .map(|fit| {
            let found = fit.numbers.iter().map(|of| format!("{} = {}", of.key, of.value));
            fit.changed.iter().map(say).chain(found).collect()
        })
        .collect()
}
