//! The plan: asked before each call, it says whether the call goes wrong.

use super::config::{FaultConfig, ScriptRule};
use super::kind::FaultKind;
use super::role::{FileRole, Operation, Phase};
use crate::disk::Pick;

/// A fault for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Decides how badly: see [`Fault::short_len`] and [`Fault::scaled`].
    pub draw: u32,
}

impl Fault {
    /// How many of `len` bytes a short write gets done: less than all.
    pub fn short_len(&self, len: usize) -> usize {
        self.scaled(len as u64) as usize
    }

    /// The fault as one word of a trace.
    pub(crate) fn word(self) -> u64 {
        (self.kind as u64) << 32 | u64::from(self.draw)
    }

    /// A value in `0..n`, or 0 if `n` is 0; used for lengths and delays.
    pub fn scaled(&self, n: u64) -> u64 {
        ((u128::from(self.draw) * u128::from(n)) >> 32) as u64
    }
}

/// Where a rule holds.
#[derive(Clone, Debug)]
struct Place {
    kind: FaultKind,
    role: Option<FileRole>,
    operation: Option<Operation>,
    phase: Option<Phase>,
}

impl Place {
    fn matches(&self, operation: Operation, role: FileRole, phase: Phase) -> bool {
        self.kind.strikes(operation)
            && self.operation.is_none_or(|only| only == operation)
            && self.role.is_none_or(|only| only == role)
            && self.phase.is_none_or(|only| only == phase)
    }
}

#[derive(Clone, Debug)]
struct Rate {
    place: Place,
    /// Out of `u32::MAX`.
    threshold: u32,
}

#[derive(Clone, Debug)]
struct Script {
    place: Place,
    nth: u32,
    count: u32,
    draw: Option<u32>,
    /// Calls that matched so far.
    seen: u32,
}

/// Decides which calls go wrong; see the module.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    rates: Vec<Rate>,
    scripts: Vec<Script>,
    /// Whether any rule can strike an operation. The others cost one look here, and no draw.
    armed: [bool; Operation::COUNT],
    healed: bool,
    /// Calls of armed operations, by operation, role and phase.
    calls: [[[u32; Phase::COUNT]; FileRole::COUNT]; Operation::COUNT],
    delivered: Vec<[u32; Phase::COUNT]>,
    log: Vec<HandedOut>,
}

/// A fault that was decided on.
#[derive(Clone, Debug)]
struct HandedOut {
    rule: ScriptRule,
    /// Whether there was something that it could strike.
    has_struck: bool,
}

impl FaultPlan {
    /// A plan for one run.
    pub fn new(config: &FaultConfig) -> Self {
        let everywhere = config
            .rates
            .iter()
            .map(|(kind, rate)| (Place { kind, role: None, operation: None, phase: None }, rate));
        let somewhere = config.rate.iter().map(|rule| {
            let (kind, role) = (rule.kind, rule.role);
            (Place { kind, role, operation: rule.operation, phase: rule.phase }, rule.rate)
        });
        let rates: Vec<Rate> = everywhere
            .chain(somewhere)
            .map(|(place, rate)| Rate { place, threshold: threshold(rate) })
            .filter(|rate| 0 < rate.threshold)
            .collect();
        let scripts: Vec<Script> = config.script.iter().map(script).collect();
        let mut plan = Self {
            rates,
            scripts,
            armed: [false; Operation::COUNT],
            healed: false,
            calls: [[[0; Phase::COUNT]; FileRole::COUNT]; Operation::COUNT],
            delivered: vec![[0; Phase::COUNT]; FaultKind::ALL.len()],
            log: Vec::new(),
        };
        let places = plan.rates.iter().map(|rate| &rate.place);
        for place in places.chain(plan.scripts.iter().map(|script| &script.place)) {
            for operation in OPERATIONS {
                let only = place.operation.is_none_or(|only| only == operation);
                plan.armed[operation as usize] |= only && place.kind.strikes(operation);
            }
        }
        plan
    }

    /// Says whether the next `operation` goes wrong. Draws nothing where no rate holds.
    ///
    /// A script goes before the rates. Of several rates that hold, one draw chooses; where they
    /// add up to more than one, the first ones count.
    pub fn decide(
        &mut self,
        operation: Operation,
        role: FileRole,
        phase: Phase,
        pick: &mut dyn Pick,
    ) -> Option<Fault> {
        if !self.armed[operation as usize] || self.healed {
            return None;
        }
        let call = &mut self.calls[operation as usize][role as usize][phase as usize];
        *call += 1;
        let nth = *call;
        let scripted = self.decide_by_script(operation, role, phase);
        let (kind, draw) = match scripted {
            Some(found) => found,
            None => (self.decide_by_rate(operation, role, phase, pick)?, None),
        };
        let draw = draw.unwrap_or_else(|| pick.pick(u32::MAX));
        self.delivered[kind as usize][phase as usize] += 1;
        let rule = ScriptRule {
            kind,
            role: Some(role),
            operation: Some(operation),
            phase: Some(phase),
            nth,
            count: 1,
            draw: Some(draw),
        };
        self.log.push(HandedOut { rule, has_struck: true });
        Some(Fault { kind, draw })
    }

    fn decide_by_script(
        &mut self,
        operation: Operation,
        role: FileRole,
        phase: Phase,
    ) -> Option<(FaultKind, Option<u32>)> {
        let mut found = None;
        for script in &mut self.scripts {
            if script.place.matches(operation, role, phase) {
                script.seen += 1;
                // Every script counts every call, also one that another script strikes.
                let strikes = script.nth <= script.seen && script.seen - script.nth < script.count;
                if strikes && found.is_none() {
                    found = Some((script.place.kind, script.draw));
                }
            }
        }
        found
    }

    fn decide_by_rate(
        &self,
        operation: Operation,
        role: FileRole,
        phase: Phase,
        pick: &mut dyn Pick,
    ) -> Option<FaultKind> {
        let mut holding =
            self.rates.iter().filter(|rate| rate.place.matches(operation, role, phase)).peekable();
        holding.peek()?;
        let mut drawn = pick.pick(u32::MAX);
        for rate in holding {
            if drawn < rate.threshold {
                return Some(rate.place.kind);
            }
            drawn -= rate.threshold;
        }
        None
    }

    /// Takes back a fault that was handed out: there was nothing that it could strike.
    pub(crate) fn take_back(&mut self, fault: Fault) {
        let is_it = |handed: &&mut HandedOut| {
            let rule = &handed.rule;
            handed.has_struck && (rule.kind, rule.draw) == (fault.kind, Some(fault.draw))
        };
        if let Some(handed) = self.log.iter_mut().rev().find(is_it)
            && let ScriptRule { kind, phase: Some(phase), .. } = handed.rule
        {
            handed.has_struck = false;
            self.delivered[kind as usize][phase as usize] -= 1;
        }
    }

    /// The same plan with no fault of `kind`.
    #[must_use]
    pub fn without(mut self, kind: FaultKind) -> Self {
        self.rates.retain(|rate| rate.place.kind != kind);
        self.scripts.retain(|script| script.place.kind != kind);
        self
    }

    /// Ends all faults for the rest of the run: the machine is healthy again.
    pub fn heal(&mut self) {
        self.healed = true;
    }

    /// How many faults of `kind` were delivered in `phase`.
    pub fn delivered(&self, kind: FaultKind, phase: Phase) -> u32 {
        self.delivered[kind as usize][phase as usize]
    }

    /// How many faults were delivered that return an error.
    pub fn errors_delivered(&self) -> u32 {
        let errors = FaultKind::ALL.iter().filter(|kind| kind.is_error());
        errors.flat_map(|kind| &self.delivered[*kind as usize]).sum()
    }

    /// The faults delivered, in order, as a script that brings the same ones about.
    pub fn script(&self) -> Vec<ScriptRule> {
        let delivered = self.log.iter().filter(|handed| handed.has_struck);
        delivered.map(|handed| handed.rule.clone()).collect()
    }

    /// As [`FaultPlan::script`], with those that found nothing to strike: a device that begins to
    /// lie at a sync with nothing to lose lies at the next one.
    pub fn handed_out(&self) -> Vec<ScriptRule> {
        self.log.iter().map(|handed| handed.rule.clone()).collect()
    }
}

pub(super) const OPERATIONS: [Operation; Operation::COUNT] = [
    Operation::Open,
    Operation::Create,
    Operation::Read,
    Operation::Append,
    Operation::Sync,
    Operation::Close,
    Operation::Rename,
    Operation::Remove,
    Operation::List,
    Operation::SyncDir,
    Operation::Size,
    Operation::Exists,
    Operation::Truncate,
    Operation::Link,
    Operation::CreateDir,
    Operation::RemoveDir,
    Operation::Lock,
    Operation::Wait,
];

fn script(rule: &ScriptRule) -> Script {
    let &ScriptRule { kind, role, operation, phase, nth, count, draw } = rule;
    Script { place: Place { kind, role, operation, phase }, nth, count, draw, seen: 0 }
}

#[expect(clippy::cast_sign_loss, reason = "a rate is not negative")]
fn threshold(rate: f64) -> u32 {
    (rate.clamp(0.0, 1.0) * f64::from(u32::MAX)).round() as u32
}
