//! The reference and every backend run the files and pass by the rule that the files state.

use crate::file::{Read, cases, failure};
use conformance::{
    engine::Engine,
    vectors::run::{Outputs, outputs},
};
use optimized::Backend;

fn run(read: &Read, engine: Engine) -> Result<Outputs, String> {
    outputs(&read.case, &read.outputs(), engine).map_err(|err| err.to_string())
}

#[test]
fn the_reference_passes_every_case() {
    for read in cases() {
        let got = run(&read, Engine::Reference).unwrap_or_else(|err| panic!("{}: {err}", read.name()));
        if let Some(failure) = failure(&read, &read.f64s, &got) {
            panic!("{}: {failure}", read.name());
        }
    }
}

#[test]
fn every_backend_passes_every_case_that_f32_can_hold() {
    let (mut run_cases, mut wider) = (0, Vec::new());
    for read in cases() {
        let Some(f32s) = &read.f32s else {
            wider.push(read.name());
            continue;
        };
        run_cases += 1;
        for on in Backend::available() {
            let got = run(&read, Engine::Fast(on)).unwrap_or_else(|err| panic!("{}: {err}", read.name()));
            if let Some(failure) = failure(&read, f32s, &got) {
                panic!("{} by {}: {failure}", read.name(), on.name());
            }
        }
    }
    let names: Vec<&str> = Backend::available().iter().map(|on| on.name()).collect();
    println!("ran {} on {run_cases} cases; wider than f32: {}", names.join(", "), wider.join(", "));
    assert!(run_cases > 20 * wider.len(), "most cases are beyond f32");
}

/// What is asked of the whole, so that a later change of the cases does not thin them out unseen.
#[test]
fn the_cases_cover_what_hides_mistakes() {
    let cases = cases();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let any = |what: &dyn Fn(&Read) -> bool| cases.iter().any(what);
    let mask = |read: &Read| -> Vec<Vec<bool>> {
        let mask = read.case.input("response_mask").unwrap();
        mask.x.chunks(mask.shape[1]).map(|row| row.iter().map(|x| *x == 1.0).collect()).collect()
    };
    let setting = |read: &Read, key: &str, value: &str| {
        read.case.settings.iter().any(|(of, is)| of == key && is == value)
    };
    assert!(any(&|read| setting(read, "gamma", "0.9") && setting(read, "lam", "0.8")));
    assert!(any(&|read| mask(read).iter().any(|row| row.iter().all(|valid| !valid))), "no empty row");
    assert!(any(&|read| mask(read).iter().flatten().filter(|valid| **valid).count() == 1), "no single token");
    assert!(any(&|read| mask(read).iter().any(|row| !row[0] && row[1])), "no leading gap");
    let inner = |row: &Vec<bool>| row.windows(2).any(|at| at == [true, false]) && row.last() == Some(&true);
    for gap in ["skip", "decay", "cut"] {
        assert!(any(&|read| setting(read, "gap", gap) && mask(read).iter().any(inner)), "no gap by {gap}");
    }
    assert!(any(&|read| mask(read).len() > 1 && mask(read).len() == mask(read)[0].len()), "no B = L");
    let holds = |read: &Read, x: f64| {
        read.case.inputs.iter().any(|tensor| tensor.x.iter().any(|y| *y == x || (x.is_nan() && y.is_nan())))
    };
    assert!(any(&|read| holds(read, f64::NAN)) && any(&|read| holds(read, f64::NEG_INFINITY)));
    for figure in ["g1", "g2", "g3", "g4", "g5", "g6", "g7"] {
        assert!(any(&|read| read.case.name.starts_with(figure)), "no figure {figure}");
    }
}
