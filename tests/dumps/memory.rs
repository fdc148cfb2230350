//! What a file may cost: a process of its own opens it and says its peak.

use crate::file::{save, with_header};
use conformance::dump::{Dump, Inputs};
use std::{path::Path, process::Command};

const FILE: &str = "PPO_TEST_DUMP";
const MIB: u64 = 1 << 10;

/// The other half of [`peak_kib`]: nothing in an ordinary run.
#[test]
fn the_child_reads_what_the_environment_names() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let read = || {
        let dump = Dump::open(&path)?;
        let mut inputs = Inputs::load(&dump, &dump.choose(&[])?)?;
        let mut row = Vec::new();
        let last = (inputs.shape.b - 1, inputs.shape.t_len - 1);
        inputs.logits.as_mut().map_or(Ok(()), |logits| logits.row(last, None, &mut row))
    };
    let said = read().map_or_else(|err| err.to_string(), |()| "read".to_string());
    println!("\npeak {} {said}", own_peak().unwrap_or_default());
}

/// Peak resident memory of this process in KiB, where the system says it.
fn own_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// Peak of a child that reads the file, and what it said.
fn peak_kib(path: &Path) -> (u64, String) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::the_child_reads_what_the_environment_names", "--nocapture"])
        .env(FILE, path)
        .output()
        .unwrap();
    let text = String::from_utf8(child.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("peak ")).expect(&text);
    let (kib, said) = line.split_once(' ').unwrap();
    (kib.parse().unwrap(), said.to_string())
}

/// What the test program costs by itself, and a second number of the child's for a file.
fn cost_kib(bytes: &[u8], hole: u64) -> Option<(u64, String)> {
    own_peak().or_else(|| {
        eprintln!("absent: /proc/self/status");
        None
    })?;
    let (base, _) = peak_kib(Path::new("/nowhere"));
    let file = save(bytes);
    file.as_file().set_len(bytes.len() as u64 + hole).ok()?;
    let (peak, said) = peak_kib(file.path());
    Some((peak.saturating_sub(base), said))
}

#[test]
fn the_worst_header_costs_less_than_64_mib() {
    // 4096 names, and settings that fill what is left of 4 MiB.
    let tensor = |i: usize| format!(r#""{i:0>400}":{{"dtype":"U8","shape":[0,0,0],"data_offsets":[0,0]}}"#);
    let key = |i: usize| format!(r#""{i:0>480}":"\u0000""#);
    let tensors: Vec<String> = (0..4095).map(tensor).collect();
    let keys: Vec<String> = (0..4096).map(key).collect();
    let header = format!(r#"{{"__metadata__":{{{}}},{}}}"#, keys.join(","), tensors.join(","));
    assert!(header.len() < 4 << 20 && header.len() > 7 << 19, "{}", header.len());
    let Some((kib, said)) = cost_kib(&with_header(&header, &[]), 0) else { return };
    assert_eq!(said, "the file has 4095 tensors, and none of them is an input");
    assert!(kib < 64 * MIB, "{kib} KiB");
    println!("the worst header: {kib} KiB");
}

#[test]
fn a_refused_header_costs_little() {
    let axes =
        format!(r#"{{"a":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}}}"#, "0,".repeat(2_000_000));
    for bytes in
        [with_header(&axes, &[]), u64::MAX.to_le_bytes().to_vec(), (1u64 << 60).to_le_bytes().to_vec()]
    {
        let Some((kib, said)) = cost_kib(&bytes, 0) else { return };
        assert!(said != "read" && kib < 16 * MIB, "{kib} KiB: {said}");
    }
}

/// Eight gigabytes of logits: one row, a buffer, and no more.
#[test]
fn logits_cost_one_row() {
    let shape = "[16,1024,131072]";
    let header = format!(r#"{{"logits":{{"dtype":"F32","shape":{shape},"data_offsets":[0,8589934592]}}}}"#);
    let Some((kib, said)) = cost_kib(&with_header(&header, &[]), 8 << 30) else { return };
    assert_eq!(said, "read");
    assert!(kib < 8 * MIB, "{kib} KiB");
    println!("8 GiB of logits: {kib} KiB");
}
