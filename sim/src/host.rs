//! What drives the kernel: nothing but a loop, or a node of madsim.
//!
//! In a node, the whole kernel is one task: madsim gives a runtime per seed, a virtual clock behind
//! `Instant` and `SystemTime`, and a trap for OS threads that code under test might start. It does
//! not choose who runs: every decision is the kernel's, and the trace is the same with both.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What drives the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host {
    /// The init task of a madsim node. Sweeps use it.
    #[default]
    Node,
    /// A loop on the OS thread.
    Bare,
}

impl Host {
    /// Runs `run` to its end.
    pub(crate) fn drive<T: 'static>(self, seed: u64, run: impl Future<Output = T> + 'static) -> T {
        match self {
            Host::Bare => {
                let mut context = Context::from_waker(Waker::noop());
                match pin!(run).poll(&mut context) {
                    Poll::Ready(result) => result,
                    Poll::Pending => unreachable!("a bare run never waits"),
                }
            }
            Host::Node => in_node(seed, run),
        }
    }

    /// Lets `nanos` of virtual time pass on the outside too, and lets the node's executor run.
    pub(crate) async fn pause(self, nanos: u64) {
        if self == Host::Node {
            madsim::time::advance(Duration::from_nanos(nanos));
            madsim::task::yield_now().await;
        }
    }
}

fn in_node<T: 'static>(seed: u64, run: impl Future<Output = T> + 'static) -> T {
    let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
    let run = OneThread(run);
    runtime.block_on(async move {
        let handle = madsim::runtime::Handle::current();
        let node = handle.create_node().name("database").build();
        let result = node.spawn(run).await;
        // What is left in a node is never freed otherwise.
        handle.kill(node.id());
        result.expect("the task of the run is not cancelled").0
    })
}

/// A future, or its result, that stays on one OS thread although madsim asks for more.
struct OneThread<T>(T);

#[expect(unsafe_code, reason = "madsim polls every task of a runtime on the thread of block_on")]
// SAFETY: `in_node` makes the runtime, polls it and takes the result on one OS thread.
unsafe impl<T> Send for OneThread<T> {}

impl<T: Future> Future for OneThread<T> {
    type Output = OneThread<T::Output>;

    #[expect(unsafe_code, reason = "projects the pin to the only field")]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the field is pinned with the whole, and is never moved out.
        let inner = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        inner.poll(context).map(OneThread)
    }
}
