//! The book of this repository.

use conformance::terms::TERMS;
use std::{collections::BTreeSet, fs, path::Path};

fn real_book() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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

#[test]
fn an_equation_leads_to_its_function_its_fast_path_its_kernels_and_its_tests() {
    let out = tempfile::tempdir().unwrap();
    book::build(real_book(), out.path()).unwrap();
    let page = fs::read_to_string(out.path().join("step.html")).unwrap();
    let files = |label: &str| -> Vec<String> {
        let figure = page.split(&format!("id=\"{}\"", label.replace(':', "-"))).nth(1).unwrap();
        let links = figure.split("</figure>").next().unwrap().split("class=\"file\">").skip(1);
        links.map(|rest| rest.split('<').next().unwrap().to_string()).collect()
    };
    let gae = [
        "reference/src/gae.rs",
        "optimized/src/gae/mod.rs",
        "optimized/src/gae/lanes.rs",
        "optimized/src/gae/kernel.cu",
    ];
    assert_eq!(files("eq:gae")[..4], gae);
    // Entropy and log-prob come out of one pass, whose kernels are in its folder.
    assert!(files("eq:entropy").contains(&"optimized/src/token_pass/lanes.rs".into()));
    assert!(files("eq:entropy").contains(&"optimized/src/token_pass/kernel.cu".into()));
    for term in TERMS {
        for equation in term.equations {
            let files = files(equation.label);
            assert!(term.tests.iter().all(|test| files.contains(&format!("tests/{test}"))), "{files:?}");
        }
    }
}

#[test]
fn a_page_says_once_which_example_printed_its_numbers() {
    let out = tempfile::tempdir().unwrap();
    book::build(real_book(), out.path()).unwrap();
    for entry in fs::read_dir(real_book().join("examples")).unwrap() {
        let stem = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string();
        let page = fs::read_to_string(out.path().join(format!("{stem}.html"))).unwrap();
        let said = page.matches(&format!("--example {stem}</code>")).count();
        assert_eq!(said, 1, "{stem}.html");
        assert!(page.contains(&format!("href=\"code/book/examples/{stem}.rs.html\"")), "{stem}.html");
    }
    let answers = fs::read_to_string(out.path().join("exercises.html")).unwrap();
    assert!(!answers.contains("--example"));
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
