//! The roofline of every kernel, from the recorded ladder: how fast it may be and how fast it is, over what it does with
//! each byte.

use super::{
    Chart, Curve,
    dots::{self, Dot},
    ladder::{Section, sections},
};
use crate::terms::escape;

/// The name by which pages ask for it.
pub(super) const NAME: &str = "roofline";

const CAPTION: &str = "Every kernel with AVX2 on two threads: how much it computes, over what it does with a byte. The level line is as many \
                       multiply-adds as the processor can make. A slanted one is what the simplest loops got from memory, by only \
                       copying, summing or negating the largest of these arrays; where it is lower, a kernel waits for bytes. \
                       Left, the passes over f32 stand where both roofs meet, so that neither alone would make them much faster; \
                       bf16 brings twice the numbers with each byte, and arithmetic is what is left to wait for. Right, the arrays fit into \
                       the last cache, which has a roof of its own. Rewards and returns, with one operation a token, wait for it, the \
                       policy loss with its exp for arithmetic. What stands far below both has other things to wait for: GAE its own \
                       chain, whitening its second and third read, which are not counted here.";

/// What the machine allows on two threads, each measured in the run that timed the kernels.
struct Roofs {
    /// Fused multiply-adds in registers, in Gop/s.
    arithmetic: f64,
    /// GB/s of arrays that no cache holds: negated in place, copied, summed, each by the fastest simple loop.
    in_place: f64,
    copy: f64,
    read: f64,
    /// GB/s of the fastest copy of arrays that the last cache holds.
    cached: f64,
}

/// The figure.
pub(super) fn html() -> Result<String, String> {
    let ladder = sections();
    let roofs = roofs(&ladder)?;
    let panels = panels(&ladder, &roofs)?;
    let said: Vec<String> = panels.iter().map(said).collect();
    let drawn: String =
        panels.iter().enumerate().map(|(k, panel)| panel.html(&format!("{NAME}-{k}"))).collect();
    Ok(format!(
        "<figure class=\"plot\" id=\"figure-{NAME}\">\n<div class=\"panels\" role=\"img\" aria-label=\"Two panels with operations a \
         byte to the right and Gop/s upwards, both by factors. {}\">\n{drawn}</div>\n<figcaption>{CAPTION}</figcaption>\n</figure>\n",
        escape(&said.join(" ")).replace('"', "&quot;")
    ))
}

fn roofs(ladder: &[Section]) -> Result<Roofs, String> {
    let best = |section: &Section, what: &str| {
        let fit = section.cells(2, "GB/s").filter(|(row, _)| row.contains(what));
        fit.map(|(_, speed)| speed).reduce(|a, b| if b > a { b } else { a })
    };
    let large = |name: &str, what: &str| {
        let section = ladder.iter().find(|section| section.what.starts_with(name));
        section.and_then(|section| best(section, what)).ok_or(format!("the ladder has no {what} of {name}"))
    };
    let arithmetic =
        ladder.iter().find(|section| !section.is_work()).and_then(|section| avx2(section, "Gop/s"));
    let small = ladder.iter().filter(|section| section.is_work() && !section.is_of_logits());
    let cached = small.filter_map(|section| best(section, "copy")).reduce(|a, b| if b > a { b } else { a });
    Ok(Roofs {
        arithmetic: arithmetic.ok_or("the ladder has no arithmetic of avx2")?,
        in_place: large("token_pass, gradient in place, f32", "in place")?,
        copy: large("token_pass, gradient, f32", "copy")?,
        read: large("token_pass, forward, f32", "read-sum")?,
        cached: cached.ok_or("the ladder has no copy of small arrays")?,
    })
}

fn avx2(section: &Section, column: &str) -> Option<f64> {
    section.cell(|row| row == "avx2", 2, column)
}

/// Logits, which no cache holds, and arrays of a number a token, which the last one may.
fn panels(ladder: &[Section], roofs: &Roofs) -> Result<[Chart; 2], String> {
    let of = |of_logits: bool| -> Result<Vec<Dot>, String> {
        let works = ladder.iter().filter(|section| section.is_work() && section.is_of_logits() == of_logits);
        works.map(|section| dot(section, ladder)).collect()
    };
    let copy = ("memory, a copy", roofs.copy);
    let logits = [copy, ("memory, a sum", roofs.read), ("memory, in place", roofs.in_place)];
    let tokens = [copy, ("last cache, a copy", roofs.cached)];
    Ok([
        panel("A row of logits a token", of(true)?, roofs.arithmetic, &logits),
        panel("A few numbers a token", of(false)?, roofs.arithmetic, &tokens),
    ])
}

/// A kernel by what it does with a byte, and how much it does.
fn dot(section: &Section, ladder: &[Section]) -> Result<Dot, String> {
    let lacks = |what: &str| format!("the ladder lacks the {what} of {}", section.what);
    let at = (
        section.intensity().ok_or(lacks("bytes and operations"))?,
        avx2(section, "Gop/s").ok_or(lacks("Gop/s with avx2"))?,
    );
    let (work, size) = section.sizes();
    let twin = ladder.iter().filter(|other| other.sizes().0 == work).count() > 1;
    let rows = size.split(' ').next().filter(|_| twin);
    Ok(Dot { name: rows.map_or_else(|| short(work), |rows| format!("{}, {rows} rows", short(work))), at })
}

/// A name that fits beside a dot: `in place bf16` for `token_pass, gradient in place, bf16`.
fn short(work: &str) -> String {
    let named = work.trim_start_matches("token_pass, ").replace("gradient in place", "in place");
    let rest = [" with gradient", " and returns", " one inner epoch,", ","];
    rest.iter().fold(named, |name, part| name.replace(part, ""))
}

fn panel(title: &'static str, dots: Vec<Dot>, arithmetic: f64, memory: &[(&str, f64)]) -> Chart {
    let x = dots::around(dots.iter().map(|dot| dot.at.0));
    let y = dots::around(dots.iter().map(|dot| dot.at.1).chain([arithmetic]));
    let fastest = memory.iter().fold(0.0, |most, (_, speed)| f64::max(most, *speed));
    let mut curves = vec![Curve {
        name: format!("arithmetic: {arithmetic:.0} Gop/s"),
        points: vec![(f64::max(x.0, arithmetic / fastest), arithmetic), (x.1, arithmetic)],
    }];
    curves.extend(memory.iter().map(|(name, speed)| Curve {
        name: format!("{name}: {speed:.0} GB/s"),
        // From where it enters the panel to where it meets the arithmetic, or leaves the panel.
        points:
            [f64::max(x.0, y.0 / speed), f64::min(x.1, arithmetic / speed)].map(|x| (x, speed * x)).into(),
    }));
    Chart { title, x_label: "operations a byte", y_label: "Gop/s", x, y, curves, dots, ..Chart::default() }
}

/// A panel in words.
fn said(panel: &Chart) -> String {
    let roofs: Vec<&str> = panel.curves.iter().map(|curve| curve.name.as_str()).collect();
    let dot = |dot: &Dot| format!("{} {:.2} and {:.0}", dot.name, dot.at.0, dot.at.1);
    let dots: Vec<String> = panel.dots.iter().map(dot).collect();
    format!("{}. Roofs, {}. Dots: {}.", panel.title, roofs.join("; "), dots.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::labels::tests::are_apart;

    fn drawn() -> [Chart; 2] {
        let ladder = sections();
        panels(&ladder, &roofs(&ladder).unwrap()).unwrap()
    }

    #[test]
    fn every_kernel_has_a_dot_and_its_name_room() {
        let panels = drawn();
        let dots = panels.iter().flat_map(|panel| &panel.dots);
        let works = sections().iter().filter(|section| section.is_work()).count();
        let names: std::collections::BTreeSet<&str> = dots.map(|dot| dot.name.as_str()).collect();
        assert_eq!(names.len(), works, "{names:?}");
        for panel in &panels {
            let (ground, dots) = dots::ground(panel);
            are_apart(&ground, &dots);
        }
    }

    #[test]
    fn the_figure_says_every_dot_and_every_roof_in_words() {
        let html = html().unwrap();
        assert!(html.matches("<svg").count() == 2 && !html.contains("\n\n"));
        let said = html.split("aria-label=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        for panel in drawn() {
            let (dots, roofs) =
                (panel.dots.iter().map(|dot| &dot.name), panel.curves.iter().map(|roof| &roof.name));
            for name in dots.chain(roofs) {
                assert!(said.contains(name.as_str()), "{name} is not in: {said}");
            }
        }
        let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(ids.iter().all(|id| id.contains(NAME)), "{ids:?}");
    }

    #[test]
    fn the_columns_of_the_record_say_one_thing() {
        for section in sections().iter().filter(|section| section.is_work()) {
            let of = |column| avx2(section, column).unwrap();
            let (said, worked) = (of("Gop/s"), of("GB/s") * section.intensity().unwrap());
            // Both are rounded to two decimals, and the speed is then multiplied.
            let rounding = 0.005 * (1.0 + section.intensity().unwrap());
            assert!((said - worked).abs() <= rounding + 1e-9, "{}: {said} is not {worked}", section.what);
        }
    }

    #[test]
    fn roofs_are_above_each_other_and_end_at_the_panel() {
        let roofs = roofs(&sections()).unwrap();
        assert!(roofs.cached > roofs.copy && roofs.copy > roofs.read && roofs.in_place > roofs.copy);
        for panel in drawn() {
            let near = |x: f64, (from, to): (f64, f64)| x >= from * (1.0 - 1e-9) && x <= to * (1.0 + 1e-9);
            let ends = panel.curves.iter().flat_map(|curve| &curve.points);
            assert!(ends.clone().all(|(x, y)| near(*x, panel.x) && near(*y, panel.y)), "{}", panel.title);
            assert!(
                panel.curves.iter().all(|curve| curve.points[0].0 < curve.points[1].0),
                "{}",
                panel.title
            );
        }
    }

    #[test]
    fn what_the_record_lacks_is_said() {
        let bare = Section::of("kl, 1 × 2: 8 bytes read and 4 written a token, 24 operations\n");
        assert_eq!(
            dot(&bare, &[]).err().as_deref(),
            Some("the ladder lacks the Gop/s with avx2 of kl, 1 × 2")
        );
        assert_eq!(roofs(&[bare]).err().as_deref(), Some("the ladder has no arithmetic of avx2"));
    }

    #[test]
    fn a_name_is_short_and_keeps_what_tells_it_from_others() {
        let names = [
            "token_pass, gradient in place, bf16",
            "step, one inner epoch, f32",
            "kl_loss with gradient",
            "gae and returns",
        ];
        assert_eq!(names.map(short), ["in place bf16", "step f32", "kl_loss", "gae"]);
    }
}
