//! The recorded ladder of backends, taken apart for what is drawn from it.

const LADDER: &str = include_str!("../../../benches/results/ladder.md");

/// One table of the record.
pub(super) struct Section {
    /// Before the colon of its title: what was timed, and on what sizes.
    pub(super) what: &'static str,
    /// After it: what one number costs, in bytes and operations.
    costs: &'static str,
    /// The first is the head.
    rows: Vec<Vec<&'static str>>,
}

/// Every table, in the order of the record.
pub(super) fn sections() -> Vec<Section> {
    LADDER.split("\n### ").skip(1).map(Section::of).collect()
}

impl Section {
    pub(super) fn of(section: &'static str) -> Section {
        let title = section.lines().next().unwrap_or_default();
        let (what, costs) = title.split_once(": ").unwrap_or((title, ""));
        let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
        Section {
            what,
            costs,
            rows: section.lines().filter(|line| line.starts_with('|')).map(cells).collect(),
        }
    }

    /// Whether it is a work of the step, and not what the machine allows.
    pub(super) fn is_work(&self) -> bool {
        !self.what.starts_with("arithmetic")
    }

    /// Whether it counts bytes and operations for each logit.
    pub(super) fn is_of_logits(&self) -> bool {
        self.costs.contains("a logit")
    }

    /// What was timed, and the rows and columns of its arrays.
    pub(super) fn sizes(&self) -> (&'static str, &'static str) {
        self.what.rsplit_once(", ").unwrap_or((self.what, ""))
    }

    /// Operations for each byte that is read or written.
    pub(super) fn intensity(&self) -> Option<f64> {
        let bytes = self.before("bytes")? + self.before("written")?;
        Some(self.before("operation")? / bytes)
    }

    /// The number before a word of the title that starts so.
    fn before(&self, start: &str) -> Option<f64> {
        let words: Vec<&str> = self.costs.split(' ').collect();
        let at = words.iter().position(|word| word.starts_with(start))?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    }

    /// The cell of a column, in the first row with so many threads whose name is fit.
    pub(super) fn cell(&self, row: impl Fn(&str) -> bool, threads: u8, column: &str) -> Option<f64> {
        self.cells(threads, column).find(|(name, _)| row(name)).map(|(_, cell)| cell)
    }

    /// The numbers of a column on so many threads, each with the name of its row.
    pub(super) fn cells(&self, threads: u8, column: &str) -> impl Iterator<Item = (&'static str, f64)> {
        let at = self.rows.first().and_then(|head| head.iter().position(|name| *name == column));
        let fit = self.rows.iter().skip(1).filter(move |row| row.get(1) == Some(&&*threads.to_string()));
        fit.filter_map(move |row| Some((*row.first()?, row.get(at?)?.parse().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "kl, 1 × 2: 8 bytes read and 4 written a token, 24 operations\n\n\
                         |      | threads | Gop/s |\n|------|--:|--:|\n| copy | 2 |  |\n| avx2 | 1 | 0.5 |\n| avx2 | 2 | 0.25 |\n";

    #[test]
    fn a_title_says_what_a_byte_is_used_for() {
        let section = Section::of(SMALL);
        assert_eq!((section.what, section.intensity()), ("kl, 1 × 2", Some(2.0)));
        assert!(section.is_work() && !section.is_of_logits());
        assert_eq!(Section::of("kl, 1 × 2: 8 bytes read and 4 written a token\n").intensity(), None);
    }

    #[test]
    fn a_cell_is_found_by_row_threads_and_column() {
        let section = Section::of(SMALL);
        let avx2 = |threads, column| section.cell(|name| name == "avx2", threads, column);
        assert_eq!((avx2(1, "Gop/s"), avx2(2, "Gop/s"), avx2(2, "GB/s")), (Some(0.5), Some(0.25), None));
        assert_eq!(section.cells(2, "Gop/s").collect::<Vec<_>>(), [("avx2", 0.25)]);
    }
}
