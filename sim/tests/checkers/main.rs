//! Every checker on hand-made histories: those that must fail, and the nearest that must pass.
//!
//! One plan serves all: two writers with six batches, on few keys. A test says what clients were
//! told and what an open showed, and asks one checker.

#![cfg(test)]

mod at_end;
mod at_open;
mod kinds;
mod story;

use std::rc::Rc;

use faultline::Db;
use faultline_sim::checker::{AfterEnd, AfterOpen, Checker, Violation, all};
use faultline_sim::env::SimEnv;
use faultline_sim::run::{Mode, on_fresh_thread};
use faultline_sim::scenario::embedded;
use faultline_sim::workload::{Custom, Workload};

#[test]
fn there_is_one_checker_of_each_name() {
    let names: Vec<&str> = all().iter().map(|checker| checker.name()).collect();
    assert_eq!(
        names,
        [
            "durability",
            "sequence",
            "contents",
            "atomicity",
            "reads",
            "errors",
            "liveness",
            "recovery",
            "structure"
        ]
    );
}

/// Complains about the first open and about every end, with these points added.
#[derive(Clone, Copy, Debug)]
struct Grumbler {
    name: &'static str,
    at_open: Option<u64>,
    at_end: Option<u64>,
}

impl Grumbler {
    fn complain(self, point: u64) -> Result<(), Violation> {
        let (expected, got) = ("peace".to_owned(), "none".to_owned());
        Err(Violation { checker: self.name, promise: "quiet", expected, got, point })
    }
}

impl Checker for Grumbler {
    fn name(&self) -> &'static str {
        self.name
    }

    fn after_open(&mut self, open: &AfterOpen<'_>) -> Result<(), Violation> {
        self.at_open.map_or(Ok(()), |by| self.complain(open.history.opened.point + by))
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        self.at_end.map_or(Ok(()), |by| self.complain(end.point + by))
    }
}

/// Opens and closes, and nothing more.
#[derive(Debug)]
struct Idle;

impl Workload for Idle {
    fn run(&self, _db: &Db<SimEnv>, _incarnation: u32) {}
}

/// Who is named, of these checkers in a run of a scenario without faults.
fn named(checkers: Vec<Grumbler>) -> Vec<&'static str> {
    on_fresh_thread(move |runner| {
        let scenarios = embedded().expect("the scenarios of the repository");
        let steady = scenarios.iter().find(|scenario| scenario.name == "steady_writers");
        let boxed = |checker: Grumbler| -> Box<dyn Checker> { Box::new(checker) };
        let checkers = checkers.into_iter().map(boxed).collect();
        let idle = Custom { workload: Rc::new(Idle), fault_hook: None };
        let steady = steady.expect("is there");
        let verdict = runner.run_custom(steady, 3, idle, checkers, Mode::default());
        assert_eq!(verdict.harness_error, None);
        verdict.violations.iter().map(|violation| violation.checker).collect()
    })
}

#[test]
fn a_failure_is_named_after_the_earliest_violation() {
    let at = |name, at_open, at_end| Grumbler { name, at_open, at_end };
    assert_eq!(named(vec![at("none", None, None)]), [""; 0]);
    assert_eq!(named(vec![at("late", None, Some(1)), at("early", None, Some(0))]), ["early"]);
    assert_eq!(named(vec![at("a", None, Some(5)), at("b", None, Some(5))]), ["a", "b"]);
    // An open comes before an end, whatever the order of the checkers.
    assert_eq!(named(vec![at("end", None, Some(0)), at("open", Some(0), None)]), ["open"]);
    assert_eq!(named(vec![at("late", Some(9), None), at("early", Some(2), None)]), ["early"]);
}
