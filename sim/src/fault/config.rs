//! The `[faults]` table of a scenario.
//!
//! ```
//! let text = r#"
//!     sync_error = 0.05
//!
//!     [[script]]
//!     kind = "sync_error"
//!     role = "log"
//!     nth = 3
//!     phase = "run"
//! "#;
//! let config = toml::from_str::<faultline_sim::fault::FaultConfig>(text);
//! assert_eq!(config.expect("a table of faults").script[0].nth, 3);
//! ```

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::kind::{FaultKind, Rates};
use super::role::{FileRole, Operation, Phase};

/// Which faults a run meets.
///
/// In TOML: the name of a kind with its rate for every operation that it can strike; tables
/// `[[rate]]` for rates of one role, operation or phase; tables `[[script]]` for single faults.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FaultConfig {
    #[serde(flatten)]
    pub(super) rates: Rates,
    /// Rates that hold only in some places.
    pub rate: Vec<RateRule>,
    /// Faults that strike at a certain call.
    pub script: Vec<ScriptRule>,
}

/// A rate that holds in some places.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateRule {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Probability per call, 0 to 1.
    pub rate: f64,
    /// Only files of this role.
    pub role: Option<FileRole>,
    /// Only this operation, of those that the kind can strike.
    pub operation: Option<Operation>,
    /// Only in this phase.
    pub phase: Option<Phase>,
}

/// A fault that strikes at a certain call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptRule {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only files of this role.
    pub role: Option<FileRole>,
    /// Only this operation, of those that the kind can strike.
    pub operation: Option<Operation>,
    /// Only in this phase.
    pub phase: Option<Phase>,
    /// The call that is struck, of those that match, counted from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many calls in a row are struck.
    #[serde(default = "one")]
    pub count: u32,
    /// What the fault draws for its size, see [`super::Fault::draw`]; drawn if left out.
    pub draw: Option<u32>,
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    format!("unknown fault `{name}`; there are {}", names.join(", "))
}

fn one() -> u32 {
    1
}

impl FaultConfig {
    /// The rate of `kind` everywhere.
    pub fn rate_mut(&mut self, kind: FaultKind) -> &mut f64 {
        self.rates.get_mut(kind)
    }
}

/// By hand, because serde cannot refuse unknown fields of a flattened struct.
impl<'de> Deserialize<'de> for FaultConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = FaultConfig;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a table of fault rates and scripts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FaultConfig, A::Error> {
                let mut config = FaultConfig::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "rate" => config.rate = map.next_value()?,
                        "script" => config.script = map.next_value()?,
                        name => {
                            let kind = FaultKind::ALL.iter().find(|kind| kind.name() == name);
                            let kind = *kind.ok_or_else(|| A::Error::custom(unknown(name)))?;
                            *config.rates.get_mut(kind) = probability(map.next_value()?)?;
                        }
                    }
                }
                for rule in &config.rate {
                    probability::<A::Error>(rule.rate)?;
                    check_operation(rule.kind, rule.operation)?;
                }
                for rule in &config.script {
                    check_operation(rule.kind, rule.operation)?;
                    if rule.nth == 0 {
                        return Err(A::Error::custom("`nth` counts from 1"));
                    }
                }
                Ok(config)
            }
        }

        deserializer.deserialize_map(Table)
    }
}

fn probability<E: Error>(rate: f64) -> Result<f64, E> {
    if (0.0..=1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(E::custom(format!("a rate is from 0 to 1, not {rate}")))
    }
}

fn check_operation<E: Error>(kind: FaultKind, operation: Option<Operation>) -> Result<(), E> {
    match operation {
        Some(operation) if !kind.strikes(operation) => {
            Err(E::custom(format!("{} never strikes {operation:?}", kind.name())))
        }
        _ => Ok(()),
    }
}
