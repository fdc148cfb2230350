//! The book of this repository.

use conformance::terms::TERMS;
use std::{collections::BTreeSet, fs, path::Path};

fn real_book() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../book"))
}

#[test]
fn the_book_stands() {
    let out = tempfile::tempdir().unwrap();
    match book::build(real_book(), out.path()) {
        Ok(built) => assert!(built.pages > 0 && out.path().join("step.html").is_file()),
        Err(problems) => panic!("{}", problems.iter().map(|each| format!("{each}\n")).collect::<String>()),
    }
}

#[test]
fn the_first_page_shows_every_equation_with_its_label_formula_and_function() {
    let out = tempfile::tempdir().unwrap();
    book::build(real_book(), out.path()).unwrap();
    let page = fs::read_to_string(out.path().join("step.html")).unwrap();
    for term in TERMS {
        assert!(
            page.contains(&format!("id=\"{}\"", term.stem.replace('_', "-"))),
            "no card of {}",
            term.stem
        );
        for equation in term.equations {
            let (label, id) = (equation.label, equation.label.replace(':', "-"));
            let start = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no figure of {label}"));
            let figure = page[start..].split("</figure>").next().unwrap();
            for part in ["<math display=\"block\"", &format!(">{label}</a>"), equation.function] {
                assert!(figure.contains(part), "{label} lacks {part}: {figure}");
            }
            let file =
                figure.split("class=\"file\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
            assert!(
                real_book().join("..").join(file).is_file(),
                "{label} names {file}, which does not exist"
            );
        }
    }
}

/// The page that the doc comments of a term's file name, once it is written.
#[test]
fn a_chapter_shows_the_equations_that_point_to_it_and_the_first_page_leads_there() {
    let out = tempfile::tempdir().unwrap();
    book::build(real_book(), out.path()).unwrap();
    let built = |page: &str| fs::read_to_string(out.path().join(page)).ok();
    let first = built("step.html").unwrap();
    for term in TERMS {
        let source = real_book().join(format!("../reference/src/{}.rs", term.stem));
        let source = fs::read_to_string(source).unwrap();
        let pages = source.split("/// Book: `").skip(1).map(|rest| rest.split(".md`").next().unwrap());
        let pages: BTreeSet<String> = pages.map(|page| format!("{page}.html")).collect();
        assert_eq!(pages.len(), 1, "{} points to {pages:?}", term.stem);
        let page = pages.first().unwrap();
        let Some(chapter) = built(page) else { continue };
        for equation in term.equations {
            let card = format!("<figure class=\"equation\" id=\"{}\">", equation.label.replace(':', "-"));
            assert!(chapter.contains(&card), "{page} has no card of {}", equation.label);
        }
        let link = format!("<a href=\"{page}\">The chapter</a>");
        assert!(first.contains(&link), "step.html does not lead from {} to {page}", term.stem);
    }
}
