//! How the commands tell what faults were delivered.

use serde_json::{Map, Value, json};

use crate::fault::{FaultCounts, FaultKind, Phase};

/// Those delivered, by kind; `None` if there are none.
pub(super) fn delivered(faults: &FaultCounts) -> Option<String> {
    let counts: Vec<String> = FaultKind::ALL
        .iter()
        .filter(|kind| faults.of(**kind) > 0)
        .map(|kind| format!("{} {}", kind.name(), faults.of(*kind)))
        .collect();
    (!counts.is_empty()).then(|| format!("faults delivered: {}", counts.join(", ")))
}

/// All kinds, and of each how many were delivered in which phase.
pub(super) fn by_kind(faults: &FaultCounts) -> Map<String, Value> {
    let by_phase = |&kind: &FaultKind| {
        let counts = json!({
            "run": faults.get(kind, Phase::Run),
            "recovery": faults.get(kind, Phase::Recovery),
            "close": faults.get(kind, Phase::Close),
        });
        (kind.name().to_owned(), counts)
    };
    FaultKind::ALL.iter().map(by_phase).collect()
}
