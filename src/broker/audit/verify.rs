//! Verifying: every line by itself, its place, what signs it. It goes on after a fault, so that each is told by itself.
//!
//! A checkpoint proves all that comes before it; what comes after the last one is proved by the chain alone, which whoever may
//! write the file can make again. Its owner knows the end of it, others have a later checkpoint: see [`Inspection::must_hold`].

use std::io::{self, BufRead};

use serde::Serialize;

use super::chain::{Line, Lines, Link, Tip};
use super::checkpoint::{Checkpoint, Statement};
use super::fault::Fault;
use super::key::{Distrust, Keys};

#[cfg(test)]
mod tests;

/// A journal or an export, read from its beginning.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// Whose signatures count; `None` where only the chain is asked for.
    keys: Option<&'a Keys>,
    line: u64,
    /// The number of the next event; `None` before the first of a part.
    next: Option<u64>,
    /// The hash of the event before, where it is known.
    previous: Option<String>,
    /// Lines since then that could not be read, each of which may have been an event.
    unread: u64,
    /// Events that were passed over: the first, the last, the line that came instead.
    gaps: Vec<(u64, u64, u64)>,
    statement: Option<Statement>,
    vouched: Vec<(Tip, String)>,
    report: Report,
}

/// What an inspection found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many events are there.
    pub events: u64,
    /// The number of the first; 0 when there is none.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// Its hash.
    pub chain: String,
    /// How many checkpoints are good.
    pub checkpoints: u64,
    /// The last event that a signature covers; 0 when there is none.
    pub signed_through: u64,
    /// Whether a signed first line says what has to follow. A journal without one may have lost its beginning or its end.
    pub export: bool,
    /// What is wrong; after [`Report::MOST`] nothing more is looked at.
    pub faults: Vec<Fault>,
}

impl Report {
    /// How many faults are told.
    pub const MOST: usize = 1000;

    /// The end of the chain.
    pub fn tip(&self) -> Tip {
        if self.events == 0 { Tip::genesis() } else { Tip { seq: self.last, hash: self.chain.clone() } }
    }

    /// How many events at the end no signature covers.
    pub fn unsigned(&self) -> u64 {
        self.last.saturating_sub(self.signed_through.max(self.first.saturating_sub(1)))
    }
}

impl<'a> Inspection<'a> {
    /// Of a whole journal, or of an export, which says by itself where it begins. Signatures count that are by `keys`; without
    /// keys only the chain is verified.
    pub fn new(keys: Option<&'a Keys>) -> Self {
        Self {
            keys,
            line: 0,
            next: Some(1),
            previous: Some(Tip::genesis().hash),
            unread: 0,
            gaps: Vec::new(),
            statement: None,
            vouched: Vec::new(),
            report: Report::default(),
        }
    }

    /// Of a part of a journal: it may begin with any event.
    pub fn of_part(keys: Option<&'a Keys>) -> Self {
        Self { next: None, previous: None, ..Self::new(keys) }
    }

    /// The event that `tip` names must be there as it names it; `by` says in words who knows.
    pub fn must_hold(&mut self, tip: Tip, by: impl Into<String>) {
        if tip.seq > 0 {
            self.vouched.push((tip, by.into()));
        }
    }

    /// Reads all of `file`.
    ///
    /// # Errors
    /// The reader's.
    pub fn read(mut self, file: impl BufRead) -> io::Result<Report> {
        let mut lines = Lines::new(file);
        while self.report.faults.len() + self.gaps.len() < Report::MOST {
            let Some(line) = lines.next()? else { break };
            self.line += 1;
            match line.split_last() {
                Some((b'\n', line)) => self.take(line),
                _ if line.len() < super::chain::LINE_LIMIT => {
                    let fault = Fault::Torn { line: self.line, seq: self.expected() };
                    self.unread(fault);
                }
                _ => self.unreadable(),
            }
        }
        Ok(self.end())
    }

    fn take(&mut self, line: &[u8]) {
        if self.line == 1 && line.starts_with(br#"{"export":"#) {
            return self.begin_export(line);
        }
        match Line::read(line) {
            Line::Unreadable => self.unreadable(),
            Line::Changed(link) => {
                // The number may be what was changed: where the line continues the one before, or nobody can say, it is the next.
                let follows = self.next.is_some() && self.previous.as_ref().is_none_or(|previous| *previous == link.prev);
                let seq = if follows { self.expected() } else { link.seq.max(1) };
                self.fault(Fault::Changed { seq, line: self.line });
                self.place(&Link { seq, ..link }, false);
            }
            Line::Whole(link) => {
                if self.place(&link, true) && link.event == "checkpoint" {
                    self.checkpoint(line, &link);
                }
            }
        }
    }

    /// Puts an event where it belongs; false for one that is not at the end of what is there.
    fn place(&mut self, link: &Link, whole: bool) -> bool {
        let (seq, line, next) = (link.seq, self.line, self.next.unwrap_or(link.seq));
        if seq < next {
            match self.gaps.iter().position(|(first, last, _)| (*first..=*last).contains(&seq)) {
                Some(index) => {
                    let (first, last, at) = self.gaps.remove(index);
                    self.gaps.extend((first < seq).then(|| (first, seq - 1, at)));
                    self.gaps.extend((seq < last).then_some((seq + 1, last, at)));
                    self.fault(Fault::OutOfOrder { seq, line });
                }
                None => self.fault(Fault::Repeated { seq, line }),
            }
            return false;
        }
        let hidden = next.saturating_add(std::mem::take(&mut self.unread));
        if seq > hidden {
            self.gaps.push((hidden, seq - 1, line));
        } else if seq == next && whole && self.previous.as_ref().is_some_and(|previous| *previous != link.prev) {
            self.fault(Fault::Unlinked { seq, line });
        }
        if self.report.events == 0 {
            self.report.first = seq;
        }
        self.report.events += 1;
        self.report.last = seq;
        self.report.chain.clone_from(&link.hash);
        self.next = Some(seq.saturating_add(1));
        // A changed line may have another hash, too.
        self.previous = whole.then(|| link.hash.clone());
        if self.statement.as_ref().is_some_and(|statement| seq > statement.last) {
            self.fault(Fault::Surplus { seq, line });
        }
        let replaced: Vec<String> = self
            .vouched
            .extract_if(.., |(tip, _)| tip.seq == seq)
            .filter(|(tip, _)| tip.hash != link.hash)
            .map(|(_, by)| by)
            .collect();
        for by in replaced {
            self.fault(Fault::Replaced { seq, line, by });
        }
        true
    }

    fn checkpoint(&mut self, line: &[u8], link: &Link) {
        let (at, key) = (self.line, |key: &str| key.to_owned());
        let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(line) else {
            return self.fault(Fault::Unreadable { line: at, seq: link.seq });
        };
        if checkpoint.through.saturating_add(1) != link.seq || checkpoint.chain != link.prev {
            return self.fault(Fault::BadSignature { line: at, key: key(&checkpoint.key) });
        }
        let Some(keys) = self.keys else {
            self.report.signed_through = link.seq;
            return;
        };
        match checkpoint.check(keys, link.time) {
            Ok(()) => {
                self.report.checkpoints += 1;
                self.report.signed_through = link.seq;
            }
            Err(distrust) => self.distrust(distrust, &checkpoint.key),
        }
    }

    fn begin_export(&mut self, line: &[u8]) {
        let statement = serde_json::from_slice::<Statement>(line).ok();
        let statement = statement.filter(|found| found.export == 1 && (1..=found.last).contains(&found.first));
        let Some(statement) = statement else {
            return self.fault(Fault::Unreadable { line: self.line, seq: self.expected() });
        };
        if let Some(keys) = self.keys
            && let Err(distrust) = statement.check(keys)
        {
            self.distrust(distrust, &statement.key);
        }
        if statement.first > 1 {
            self.previous = None;
        }
        self.next = Some(statement.first);
        self.must_hold(Tip { seq: statement.last, hash: statement.chain.clone() }, "the export's first line");
        self.statement = Some(statement);
        self.report.export = true;
    }

    fn distrust(&mut self, distrust: Distrust, key: &str) {
        let (line, key) = (self.line, key.to_owned());
        self.fault(match distrust {
            Distrust::UnknownKey => Fault::UnknownKey { line, key },
            Distrust::BadSignature => Fault::BadSignature { line, key },
        });
    }

    fn unreadable(&mut self) {
        let fault = Fault::Unreadable { line: self.line, seq: self.expected() };
        self.unread(fault);
    }

    fn unread(&mut self, fault: Fault) {
        self.fault(fault);
        self.unread += 1;
        self.previous = None;
    }

    /// The number of the event that belongs here.
    fn expected(&self) -> u64 {
        self.next.unwrap_or(1).saturating_add(self.unread)
    }

    fn fault(&mut self, fault: Fault) {
        self.report.faults.push(fault);
    }

    fn end(mut self) -> Report {
        for (first, last, line) in std::mem::take(&mut self.gaps) {
            self.fault(Fault::Missing { first, last, line });
        }
        let last = self.next.unwrap_or(1).saturating_sub(1);
        for (tip, by) in std::mem::take(&mut self.vouched) {
            // What came before a part is not in it.
            if tip.seq > last.saturating_add(self.unread) {
                self.fault(Fault::Cut { last, expected: tip.seq, by });
            }
        }
        if self.report.faults.is_empty()
            && let Some(statement) = &self.statement
            && self.keys.is_some()
        {
            self.report.signed_through = self.report.last.min(statement.last);
        }
        let at = |fault: &Fault| match fault {
            Fault::Unreadable { line, .. }
            | Fault::Torn { line, .. }
            | Fault::Changed { line, .. }
            | Fault::Missing { line, .. }
            | Fault::OutOfOrder { line, .. }
            | Fault::Repeated { line, .. }
            | Fault::Unlinked { line, .. }
            | Fault::Replaced { line, .. }
            | Fault::Surplus { line, .. }
            | Fault::BadSignature { line, .. }
            | Fault::UnknownKey { line, .. } => *line,
            Fault::Cut { .. } => u64::MAX,
        };
        self.report.faults.sort_by_key(at);
        self.report
    }
}
