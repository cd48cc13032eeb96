//! The engine's `tracing` events, as lines of the trace.
//!
//! Only a run that keeps its events listens; in a sweep the events are disabled at their call
//! sites. Spans are not used: their stack belongs to an OS thread, on which all simulated threads
//! run.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::arena::Outside;
use crate::kernel::with_kernel;
use crate::trace::Lane;

/// From here on, the engine's events on this OS thread go into the trace, until the guard drops.
pub(crate) fn listen() -> DefaultGuard {
    tracing::subscriber::set_default(tracing_subscriber::registry().with(IntoTrace))
}

struct IntoTrace;

impl<S: Subscriber> Layer<S> for IntoTrace {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != "faultline" {
            return;
        }
        let _outside = Outside::enter();
        with_kernel(|kernel| {
            kernel.tell(Lane::Engine, || {
                let mut words = Words::default();
                event.record(&mut words);
                words.message + &words.fields
            });
        });
    }
}

#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
        written.expect("a String takes everything");
    }
}
