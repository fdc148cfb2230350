//! Scalars that are each rank's own: compared with what its own rows give.

use super::{Search, under::Under};
use crate::{
    check::{
        Finding,
        step::{Numbers, Step},
    },
    dump::BadInput,
};

impl Search<'_> {
    /// What is said of each rank's own scalars. Its advantages are whitened as the batch's are, where the file does not
    /// hold them.
    pub(in crate::check) fn of_ranks(&self) -> Result<Vec<Finding>, BadInput> {
        let mut findings = Vec::new();
        let apart = self.dump.apart();
        let settled = self.settled.borrow().clone();
        let whitened = match Under::changed(self, &settled).and_then(|under| under.numbers("whitened", &[])) {
            Some(Numbers::PerToken(grid)) if self.step.own("whitened").is_none() => Some(grid),
            _ => None,
        };
        for (rank, rows) in self.dump.ranks().into_iter().enumerate().filter(|_| !apart.is_empty()) {
            let Some(dump) = self.dump.rank(rank) else { continue };
            let chosen = dump.choose(self.flags)?;
            let mut step = Step::load(&dump, &chosen, self.step.p)?;
            if let Some(grid) = &whitened {
                let (b, t_len) = (dump.shape().b, dump.shape().t_len);
                let own = grid.view((rows.start, 0), (b, t_len)).map(|x| x.value);
                step = step.with_own("whitened", own);
            }
            let stated = self.stated.clone();
            let search = Search::of(&dump, self.flags, self.p, step, &chosen, self.dialect, stated);
            *search.settled.borrow_mut() = settled.clone();
            for name in apart {
                let found = search.finding(name)?;
                findings.extend(found.map(|finding| Finding { rank: Some(rank), ..finding }));
            }
        }
        Ok(findings)
    }
}
