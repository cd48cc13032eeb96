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
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct FaultConfig {
    #[serde(flatten)]
    pub(super) rates: Rates,
    /// Rates that hold only in some places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate: Vec<RateRule>,
    /// Faults that strike at a certain call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<ScriptRule>,
}

/// A rate that holds in some places.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RateRule {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Probability per call, 0 to 1.
    #[serde(deserialize_with = "probability")]
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
    /// What the fault draws for its size or its sector, see [`super::Fault::draw`]; drawn if left
    /// out.
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
    /// These single faults and no other.
    pub fn of_script(script: Vec<ScriptRule>) -> Self {
        FaultConfig { script, ..FaultConfig::default() }
    }

    /// The rate of `kind` everywhere.
    pub fn rate_mut(&mut self, kind: FaultKind) -> &mut f64 {
        self.rates.get_mut(kind)
    }

    /// Whether each of its faults is named one by one.
    pub fn is_scripted(&self) -> bool {
        self.rate.is_empty() && self.rates.iter().all(|(_, rate)| rate <= 0.0)
    }

    /// Takes all faults of `kind` out of it.
    pub fn leave_out(&mut self, kind: FaultKind) {
        *self.rate_mut(kind) = 0.0;
        self.rate.retain(|rule| rule.kind != kind);
        self.script.retain(|rule| rule.kind != kind);
    }

    /// The kinds that it has a rate or a script for.
    pub fn kinds(&self) -> impl Iterator<Item = FaultKind> {
        let everywhere = self.rates.iter().filter(|(_, rate)| *rate > 0.0).map(|(kind, _)| kind);
        let somewhere = self.rate.iter().map(|rule| rule.kind);
        let scripted = self.script.iter().map(|rule| rule.kind);
        let named: Vec<_> = everywhere.chain(somewhere).chain(scripted).collect();
        FaultKind::ALL.iter().copied().filter(move |kind| named.contains(kind))
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
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Rate => config.rate = map.next_value()?,
                        Key::Script => config.script = map.next_value()?,
                        Key::Kind(kind) => {
                            let Probability(rate) = map.next_value()?;
                            *config.rates.get_mut(kind) = rate;
                        }
                    }
                }
                for rule in &config.rate {
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

/// A key of the table. Refused while it is read, so that an error points at it.
enum Key {
    Rate,
    Script,
    Kind(FaultKind),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "rate" => Ok(Key::Rate),
            "script" => Ok(Key::Script),
            name => {
                let kind = FaultKind::ALL.iter().find(|kind| kind.name() == name);
                kind.map(|kind| Key::Kind(*kind)).ok_or_else(|| D::Error::custom(unknown(name)))
            }
        }
    }
}

/// A rate. Refused while it is read, so that an error points at it.
struct Probability(f64);

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        probability(deserializer).map(Probability)
    }
}

fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(D::Error::custom(format!("a rate is from 0 to 1, not {rate}")))
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
