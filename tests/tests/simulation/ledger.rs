//! What the clients were told, and what must therefore be in the table.

use std::collections::{BTreeMap, BTreeSet};

use models::Id;

use super::things::{Mark, Paper, Receipt, Tally};

/// What its client knows of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// Begun, and never answered or answered "unavailable".
    Unknown,
    Done,
    Refused,
}

#[derive(Default)]
pub(super) struct Ledger {
    /// By mark.
    fates: Vec<Fate>,
    /// Of each item: which write made which version, as far as anybody was told or has seen.
    versions: BTreeMap<Id, BTreeMap<u64, Mark>>,
    /// Of each item the marks that are done, in the order in which that was told.
    done: BTreeMap<Id, Vec<Mark>>,
    papers: BTreeMap<Id, Writes>,
}

/// How many writes of a paper there are, deletions among them.
#[derive(Clone, Copy, Debug, Default)]
struct Writes {
    begun: u64,
    done: u64,
    refused: u64,
    deletions: u64,
    /// The highest version that anybody was told.
    told: u64,
}

/// What was told before a read began.
pub(super) struct Before {
    done: usize,
    told: u64,
}

impl Ledger {
    pub(super) fn begin(&mut self) -> Mark {
        self.fates.push(Fate::Unknown);
        Mark::try_from(self.fates.len() - 1).expect("there are not so many")
    }

    pub(super) fn refused(&mut self, mark: Mark) {
        assert_ne!(self.fate(mark), Fate::Done, "{mark} was done and is refused");
        self.fates[mark as usize] = Fate::Refused;
    }

    /// The write was answered: it made this version of this item.
    pub(super) fn done(&mut self, mark: Mark, id: Id, version: u64) {
        self.done_apart(mark);
        self.done.entry(id).or_default().push(mark);
        self.made(id, version, mark);
    }

    /// The same for something of its own.
    pub(super) fn done_apart(&mut self, mark: Mark) {
        assert_ne!(self.fate(mark), Fate::Refused, "{mark} was refused and is done");
        self.fates[mark as usize] = Fate::Done;
    }

    fn fate(&self, mark: Mark) -> Fate {
        self.fates[mark as usize]
    }

    fn made(&mut self, id: Id, version: u64, mark: Mark) {
        let by = *self.versions.entry(id).or_default().entry(version).or_insert(mark);
        assert_eq!(by, mark, "two writes made version {version} of {id}");
    }

    pub(super) fn begin_paper(&mut self, id: Id) {
        self.papers.entry(id).or_default().begun += 1;
    }

    pub(super) fn begin_deletion(&mut self, id: Id) {
        self.begin_paper(id);
        self.papers.entry(id).or_default().deletions += 1;
    }

    pub(super) fn paper_refused(&mut self, id: Id) {
        self.papers.entry(id).or_default().refused += 1;
    }

    /// A deletion is not told its version.
    pub(super) fn paper_done(&mut self, id: Id, version: u64) {
        let writes = self.papers.entry(id).or_default();
        writes.done += 1;
        writes.told = writes.told.max(version);
    }

    pub(super) fn before(&self, id: Id) -> Before {
        let done = self.done.get(&id).map_or(0, Vec::len);
        Before { done, told: self.papers.get(&id).map_or(0, |writes| writes.told) }
    }

    /// Nothing is there twice, and nothing that was refused.
    fn check_marks(&self, marks: &[Mark], of: &str) {
        let apart: BTreeSet<_> = marks.iter().collect();
        assert_eq!(apart.len(), marks.len(), "doubled: {marks:?} of {of}");
        let refused = marks.iter().find(|mark| self.fate(**mark) == Fate::Refused);
        assert_eq!(refused, None, "was refused: in {marks:?} of {of}");
    }

    pub(super) fn saw_tally(&mut self, tally: &Tally, before: &Before) {
        let Tally { id, marks, version, .. } = tally;
        self.check_marks(marks, "a tally");
        assert_eq!(*version, marks.len() as u64, "a version for each mark: {marks:?}");
        let done = self.done.get(id).map_or(&[][..], |done| &done[..before.done]);
        let lost = done.iter().find(|mark| !marks.contains(mark));
        assert_eq!(lost, None, "lost: not in {marks:?} of a tally");
        for (mark, version) in marks.iter().zip(1..) {
            self.made(*id, version, *mark);
        }
    }

    pub(super) fn saw_paper<const KEPT: bool>(
        &mut self,
        id: Id,
        paper: Option<&Paper<KEPT>>,
        before: &Before,
    ) {
        let deletions = self.papers.get(&id).map_or(0, |writes| writes.deletions);
        let Some(Paper { marks, version, .. }) = paper else {
            assert!(before.told == 0 || deletions > 0, "lost: a paper that nobody deletes");
            return;
        };
        self.check_marks(marks, "a paper");
        assert!(*version >= before.told, "version {version} after {}", before.told);
        self.made(id, *version, *marks.last().expect("each write leaves a mark"));
    }

    /// The paper's writes are counted by its version: what was done, and none twice.
    pub(super) fn check_paper(&self, id: Id, version: u64) {
        let writes = self.papers.get(&id).copied().unwrap_or_default();
        let possible = writes.done..=writes.begun - writes.refused;
        assert!(possible.contains(&version), "{version} writes of a paper: {writes:?}");
    }

    /// Every receipt is there that should, and once.
    pub(super) fn check_receipts(&self, receipts: &[Receipt], asked: &[Mark]) {
        let marks: Vec<_> = receipts.iter().map(|receipt| receipt.mark).collect();
        self.check_marks(&marks, "the receipts");
        let lost = asked.iter().find(|it| self.fate(**it) == Fate::Done && !marks.contains(it));
        assert_eq!(lost, None, "lost: a receipt");
    }

    /// How many writes were done, refused, and never known.
    pub(super) fn counts(&self) -> [usize; 3] {
        let of = |fate| self.fates.iter().filter(|it| **it == fate).count();
        [of(Fate::Done), of(Fate::Refused), of(Fate::Unknown)]
    }
}
