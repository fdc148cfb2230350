//! Several files as the ranks of one batch.

use crate::scene::{Scene, followed};
use conformance::{
    check::{Report, check, compare::Verdict, step::Numbers},
    dump::{BadInput, Dump},
    outputs::OUTPUTS,
};

/// The rows of a scene as files of their own, the second narrower by so many slots, and what is said of them.
fn ranks<T>(
    scene: &Scene,
    rows: usize,
    narrower: usize,
    what: impl FnOnce(Result<Dump, BadInput>) -> T,
) -> T {
    ranks_of(&[scene.rows(0..rows, 0), scene.rows(rows..4, narrower)], what)
}

fn ranks_of<T>(files: &[Scene], what: impl FnOnce(Result<Dump, BadInput>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = |(rank, file): (usize, &Scene)| {
        let path = folder.path().join(format!("rank-{rank}"));
        std::fs::write(&path, file.bytes()).unwrap();
        path
    };
    let paths: Vec<_> = files.iter().enumerate().map(path).collect();
    what(Dump::open_ranks(&paths))
}

fn report(scene: &Scene, rows: usize, narrower: usize) -> Report {
    ranks(scene, rows, narrower, |dump| check(&dump.unwrap(), &[]).unwrap())
}

/// Rows 2 and 3 hold no token after slot 3, so their file may be narrower.
#[test]
fn rows_of_two_files_are_one_batch_whatever_their_widths() {
    let scene = Scene::rich().complete();
    for narrower in [0, 3] {
        let report = report(&scene, 2, narrower);
        assert_eq!((report.findings.len(), report.skipped.len()), (OUTPUTS.len(), 0));
        for finding in &report.findings {
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{narrower}: {finding:?}");
            assert_eq!(finding.rank, None);
        }
    }
}

/// Without a mask every slot of a file is valid, and what the narrower one is padded with is not.
#[test]
fn padding_of_a_narrower_rank_is_masked() {
    // Every V is 1 beside its return: the mean square of four tokens is 1, and of six slots 4/6.
    let of = |v: &[f64]| {
        let ret: Vec<f64> = v.iter().map(|v| v + 1.0).collect();
        let scene = Scene::default().row("values", v).row("old_values", v).row("returns", &ret);
        scene.says("vf_half", "false").tensor("vf_loss", &[], &[1.0])
    };
    ranks_of(&[of(&[0.5, 1.0, -2.0]), of(&[0.25])], |dump| {
        let dump = dump.unwrap();
        assert_eq!((dump.shape().b, dump.shape().t_len, dump.ranks()), (2, 3, vec![0..1, 1..2]));
        let report = check(&dump, &[]).unwrap();
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].compared.verdict, Verdict::Passed, "{:?}", report.findings);
    });
}

/// A mean over the rows of each file, of advantages that are whitened over all of them.
#[test]
fn a_scalar_that_differs_is_each_rank_s_own() {
    let scene = Scene::rich();
    let whitened = scene.step(|step, s| step.output("whitened", s)).unwrap();
    let whole = scene.with("whitened", &whitened);
    let loss = |part: &Scene| part.step(|step, s| step.output("pg_loss", s)).unwrap();
    let alone = |rows: core::ops::Range<usize>| {
        // Its own advantages, as an input: whitened over the batch.
        let part = whole.rows(rows.clone(), 0);
        let loss = loss(&part);
        part.with("pg_loss", &loss)
    };
    let files = [alone(0..2), alone(2..4)];
    let report = ranks_of(&files, |dump| check(&dump.unwrap(), &[]).unwrap());
    let of: Vec<_> = report.findings.iter().filter(|finding| finding.output == "pg_loss").collect();
    assert_eq!(of.iter().map(|finding| finding.rank).collect::<Vec<_>>(), [Some(0), Some(1)]);
    assert!(of.iter().all(|finding| finding.compared.verdict == Verdict::Passed), "{of:?}");
    // The file does not hold them: they are whitened over the batch all the same.
    let without = files.map(|file| file.without("whitened"));
    let report = ranks_of(&without, |dump| check(&dump.unwrap(), &[]).unwrap());
    assert!(
        report.findings.iter().all(|finding| finding.compared.verdict == Verdict::Passed),
        "{:?}",
        report.findings
    );
}

#[test]
fn whitening_over_a_rank_is_recognised_and_a_mistake_where_the_files_say_otherwise() {
    let scene = Scene::rich();
    let of_rank = |rows: core::ops::Range<usize>| {
        let part = scene.rows(rows, 0);
        let whitened = part.step(|step, s| step.output("whitened", s)).unwrap();
        part.with("whitened", &whitened)
    };
    let files = [of_rank(0..1), of_rank(1..4)];
    let report = ranks_of(&files, |dump| check(&dump.unwrap(), &[]).unwrap());
    let whitened = report.findings.iter().find(|finding| finding.output == "whitened").unwrap();
    assert!(!whitened.failed(), "{whitened:?}");
    assert_eq!(followed(whitened), [["whiten_over = rank"]]);
    assert!(
        report.in_use.iter().any(|of| of.key == "whiten_over" && of.value == "rank"),
        "{:?}",
        report.in_use
    );
    let claims = files.map(|file| file.says("whiten_over", "batch"));
    let report = ranks_of(&claims, |dump| check(&dump.unwrap(), &[]).unwrap());
    let whitened = report.findings.iter().find(|finding| finding.output == "whitened").unwrap();
    assert!(whitened.failed() && whitened.fits.iter().all(|fit| fit.against_the_stated));
}

/// One file has one rank, and so no choice of what is whitened together.
#[test]
fn one_file_leaves_no_choice_of_ranks_open() {
    let report = Scene::rich().complete().report();
    assert!(report.open.iter().all(|open| open.choice.key != "whiten_over"));
    assert!(report.in_use.iter().all(|of| of.key != "whiten_over"));
}

#[test]
fn ranks_that_do_not_belong_together_are_refused_with_what_differs() {
    let scene = Scene::rich();
    let (a, b) = (scene.rows(0..2, 0), scene.rows(2..4, 0));
    let refused =
        |a: &Scene, b: &Scene| ranks_of(&[a.clone(), b.clone()], |dump| dump.unwrap_err().to_string());
    let said = refused(&a, &b.clone().without("values"));
    assert!(said.contains("rank-0 and ") && said.ends_with("`values` is in one of them alone"), "{said}");
    let said = refused(&a, &b.clone().says("gamma", "0.95"));
    assert!(said.contains("`gamma` = 0.9 in one of them alone"), "{said}");
    let said = refused(&a, &b.clone().stores_f32("values"));
    assert!(said.contains("`values` has dtype F64 in one and F32 in the other"), "{said}");
    // What is no setting may be each one's own.
    ranks_of(&[a.says("rank", "0"), b.says("rank", "1")], |dump| assert!(dump.is_ok()));
}

#[test]
fn a_wrong_number_is_found_by_its_row_in_the_batch() {
    let scene = Scene::rich();
    let Numbers::PerToken(kl) = scene.step(|step, s| step.output("kl", s)).unwrap() else { panic!() };
    let mut x: Vec<f64> = kl.transpose().iter().map(|x| x.value).collect();
    x[2 * 8 + 1] += 0.5;
    let report = report(&scene.tensor("kl", &[4, 8], &x), 2, 3);
    assert_eq!(report.findings[0].compared.place, conformance::report::Place::Token(2, 1));
    assert!(report.findings[0].failed());
}
