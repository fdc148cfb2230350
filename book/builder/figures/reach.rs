//! How much of the memory's speed each kernel reaches, from the recorded ladder: bars of HTML, which take words for an axis.

use super::ladder::{Section, sections};
use crate::terms::escape;

/// The name by which pages ask for it.
pub(super) const NAME: &str = "reach";

const CAPTION: &str = "How much of the ceiling each kernel reaches on two threads. A ceiling of 1 is the fastest simple loop that copies, \
                       or only reads, as many bytes on this machine; a better loop may pass it. The long bars wait for memory. The \
                       short ones do more with a byte: exp for each logit or token, bf16 taken apart, two passes before \
                       whitening can write. And the arrays of one number a token just fit into the last cache, so that their \
                       ceiling is its speed and not the memory’s.";

/// A work, and its share of the ceiling on two threads by AVX2 and by AVX-512.
struct Work {
    name: &'static str,
    avx2: f64,
    avx512: f64,
}

/// The figure.
pub(super) fn html() -> Result<String, String> {
    let works = works()?;
    let said: Vec<String> =
        works.iter().map(|w| format!("{}: {:.2} and {:.2}", w.name, w.avx2, w.avx512)).collect();
    let rows: String = works.iter().map(row).collect();
    Ok(format!(
        "<figure class=\"plot\" id=\"figure-{NAME}\">\n<div class=\"reach\" role=\"img\" aria-label=\"Share of the ceiling by AVX2 \
         and by AVX-512. {}.\">\n{rows}</div>\n<ul class=\"legend\"><li class=\"curve-1\">AVX2</li><li class=\"curve-2\">AVX-512</li>\
         </ul>\n<figcaption>{CAPTION}</figcaption>\n</figure>\n",
        escape(&said.join("; "))
    ))
}

fn row(Work { name, avx2, avx512 }: &Work) -> String {
    let bar = |k: u8, share: f64| {
        format!(
            "<b class=\"curve-{k}\" style=\"width:{:.0}%\"></b><i>{share:.2}</i>",
            (80.0 * share).min(92.0)
        )
    };
    format!("<div><span>{}</span><p>{}</p><p>{}</p></div>\n", escape(name), bar(1, *avx2), bar(2, *avx512))
}

/// Every work of the ladder; one without both levels is an error.
fn works() -> Result<Vec<Work>, String> {
    sections().iter().filter(|section| section.is_work()).map(work).collect()
}

fn work(section: &Section) -> Result<Work, String> {
    let share = |level: &str| {
        let share = section.cell(|row| row == level, 2, "of the ceiling");
        share.ok_or(format!("the ladder has no {level} of {}", section.what))
    };
    Ok(Work { name: section.what, avx2: share("avx2")?, avx512: share("avx512")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_of_the_ladder_has_its_shares() {
        let works = works().unwrap();
        assert!(works.len() > 10);
        assert!(works.iter().all(|work| work.avx2 > 0.0 && work.avx512 > 0.0));
        let lacks =
            Section::of("kl, 1 × 2: x\n| | threads | of the ceiling |\n|--|--|--|\n| avx2 | 2 | 0.5 |\n");
        assert_eq!(work(&lacks).err().as_deref(), Some("the ladder has no avx512 of kl, 1 × 2"));
    }
}
