//! `ppo` without arguments, with a training cut short: what it learns is the suite `training`'s.

use crate::{dumps::Folder, ppo, sample_job::tampered};
use conformance::outputs::OUTPUTS;

fn text() -> String {
    ppo(["--iterations", "2"]).fine()
}

#[test]
fn it_draws_score_value_and_entropy_and_shows_every_term_of_the_last_step() {
    let text = text();
    for chart in ["score: mean of the rollout", "V: mean of what the critic says", "H: entropy, nats a token"]
    {
        let drawn = text.split_once(chart).unwrap_or_else(|| panic!("no {chart} in {text}")).1;
        assert!(drawn.lines().skip(1).take(6).all(|line| line.contains('│')), "{drawn}");
    }
    let table = text.split_once("The last step, term by term").unwrap().1;
    for output in OUTPUTS.iter().filter(|output| !["kl", "kl_loss"].contains(&output.name)) {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(output.name));
        let cells: Vec<&str> =
            row.unwrap_or_else(|| panic!("no {}", output.name)).split_whitespace().collect();
        assert_eq!(cells[1], output.label);
        assert!(cells[cells.len() - 2].parse::<f64>().unwrap().is_finite(), "{cells:?}");
        assert_eq!(format!("reference/src/{}", cells[cells.len() - 1]), output.file());
    }
}

#[test]
fn the_same_run_prints_the_same_but_for_its_seconds() {
    let [first, second] = [text(), text()].map(|text| text.split_once(" s. Mean").unwrap().1.to_owned());
    assert_eq!(first, second);
}

#[test]
fn the_sample_s_agreement_is_one_line_and_a_disagreement_exit_code_1() {
    let text = text();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("PyTorch's sample rollout")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(
        lines[0].contains(": 36 terms agree within their derived bounds (at most 99 % used)."),
        "{lines:?}"
    );
    let folder = Folder::new();
    let dir = tampered(&folder, "vf_loss", 2e-6);
    let ran = ppo(["--iterations".as_ref(), "1".as_ref(), "--samples".as_ref(), dir.as_os_str()]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""), "{}", ran.out);
    assert!(ran.out.contains("PyTorch's sample rollout: BEYOND THEIR BOUND: vf_loss.\n"), "{}", ran.out);
}

#[test]
fn it_ends_with_three_commands_that_work() {
    let text = text();
    let next = text.split_once("\nNext:\n").unwrap().1;
    let commands: Vec<&str> = next.lines().map(|line| line.trim().split("   ").next().unwrap()).collect();
    assert_eq!(commands.len(), 3, "{next}");
    for command in commands {
        let args = command.strip_prefix("cargo run --release -- ").unwrap_or_else(|| panic!("{command}"));
        let short: &[&str] = if args.starts_with("train") { &["--iterations", "2"] } else { &[] };
        ppo(args.split_whitespace().chain(short.iter().copied())).fine();
    }
}
