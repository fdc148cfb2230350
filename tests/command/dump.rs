//! `ppo dump --python`: its lines, run after a step of real PyTorch, write a file that `check` and `step` take.

use crate::{Ran, ppo, root, run};
use std::{env, fs, path::Path, process::Command};

/// The Python that has PyTorch and safetensors; where `PPO_PYTORCH` names it, it must.
fn python() -> Option<String> {
    let named = env::var("PPO_PYTORCH").ok();
    let python = named.clone().unwrap_or_else(|| "python3".to_owned());
    let made = Command::new(&python).args(["-c", "import torch, safetensors.torch"]).output();
    let why = match made {
        Ok(made) if made.status.success() => return Some(python),
        Ok(made) => String::from_utf8_lossy(&made.stderr).lines().last().unwrap_or("it failed").to_owned(),
        Err(err) => err.to_string(),
    };
    println!("absent: pytorch ({python}: {why})");
    assert!(named.is_none(), "PPO_PYTORCH is {python}: {why}");
    None
}

/// The file that a trainer writes by the printed lines.
fn written(python: &str, folder: &Path, trainer: &str) -> String {
    let lines = ppo(["dump", "--python"]).fine();
    let script = fs::read_to_string(root().join("tests/command/trainer.py")).unwrap() + "\n" + &lines;
    fs::write(folder.join("trainer.py"), script).unwrap();
    let ran = Command::new(python).args(["trainer.py", trainer]).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    folder.join("rollout.safetensors").to_str().unwrap().to_owned()
}

#[test]
fn what_its_lines_write_in_pytorch_is_checked_and_shown() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = written(&python, folder.path(), "right");
    let text = ppo(["check", &file]).fine();
    for output in ["returns", "pg_loss", "vf_loss"] {
        let line = text.lines().find(|line| line.trim_start().starts_with(output));
        assert!(line.is_some_and(|line| line.contains('✓')), "{output}: {text}");
    }
    assert!(ppo(["step", &file]).fine().contains("vf_loss"));
    let wrong = ppo(["check", &written(&python, folder.path(), "wrong")]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.out);
    assert!(wrong.out.contains("ReturnsFromWhitened"), "{}", wrong.out);
}

#[test]
fn readme_shows_the_lines() {
    let lines = ppo(["dump", "--python"]).fine();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("```python\n{lines}```")), "README's lines are old: ppo dump --python");
}

/// The lines stand for other trainers' too one day, so which is asked for.
#[test]
fn without_a_language_it_is_refused() {
    let ran: Ran = run({
        let mut command = Command::new(env!("CARGO_BIN_EXE_ppo"));
        command.arg("dump");
        command
    });
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("--python"), "{}", ran.err);
}
