//! State: what the service remembers from one request to the next.
//!
//! Limits count calls and open requests, windows count recent behaviour, and bindings record which
//! subject owns a session or task. A check asks the store only for what its possibly matching rules
//! need. Times are those of the check: a store never reads a clock.
//!
//! # An example
//!
//! A rule limits `create_issue` to 10 calls an hour for each subject. Another denies a subject with
//! more than 20 denials in ten minutes. Alice calls `create_issue` in session `s1`:
//!
//! 1. [`BindingStore::bindings`] finds the owner of `s1`. It is [`Whose::Of`] Alice, so the check
//!    goes on; if it were Bob's, the check would end here.
//! 2. [`WindowStore::read`] returns Alice's denials: 3, so the rule does not match.
//! 3. The rules allow the call within the limit. [`LimitStore::take`] takes one of the ten calls.
//!    With several limits it takes from all or from none.
//! 4. [`WindowStore::record`] adds the call to the windows that count it.
//!
//! # Files
//!
//! The traits are in `limits.rs`, `windows.rs` and `binding.rs`, and [`State`] combines them.
//! Operators use [`Usage`], and [`ClearStore`] to have a subject's counts forgotten.
//! [`Memory`] keeps everything in this process; [`open`] chooses the store. `tests.rs` has the test
//! suite of every store. A store that replicas share becomes a folder beside `memory/` with files
//! of the same names; [`Reply::Later`] is for it. [`InFlight`] is not part of a store, because it
//! knows which ids await a response in this process.

mod binding;
mod clearing;
mod digest;
mod in_flight;
mod lapses;
mod limits;
mod memory;
mod places;
mod reply;
mod settings;
mod shares;
mod usage;
mod windows;

use std::fmt::Debug;
use std::sync::Arc;

pub use binding::{Bind, Binding, BindingKey, BindingKind, BindingStore, Owner, Whose};
pub use clearing::{ClearStore, Cleared, Clearing, CounterKind};
pub(crate) use digest::ShortDigest;
pub use in_flight::{
    AFTER_ERROR_MAX, IN_FLIGHT_MAX, IdInUse, InFlight, RECENT_MIN, RequestIds, RequestKey,
};
pub use limits::LimitStore;
pub use memory::{Memory, WINDOW_SLOTS};
pub use places::{OpenPlaces, PlaceKey, UNATTENDED_MAX};
pub use reply::{Reply, StateUnavailable};
pub use settings::StateSettings;
pub(crate) use shares::{Party, Shares};
pub use usage::{BindingUsage, Forgotten, StoreUsage, Usage};
pub use windows::WindowStore;

/// A store of everything that checks remember. Keys are compared exactly, whatever they contain.
///
/// A full store may evict entries, but what it evicted is unknown from then on, never zero and
/// never free: a window gives no reading, a limit has no room, an id is [`Whose::Unknown`]. A
/// reading is never less than what happened. If the store cannot answer, the call fails.
pub trait State: LimitStore + WindowStore + BindingStore + Debug + Send + Sync + 'static {}

impl<S: LimitStore + WindowStore + BindingStore + Debug + Send + Sync + 'static> State for S {}

/// An open store.
#[derive(Debug, Clone)]
pub struct Store {
    /// For the checks.
    pub state: Arc<dyn State>,
    /// For operators.
    pub usage: Arc<dyn Usage>,
    /// For operators who lift limits.
    pub clearing: Arc<dyn ClearStore>,
}

/// Opens the store that the settings select: the memory of this process.
#[must_use]
pub fn open(settings: StateSettings) -> Store {
    let memory = Arc::new(Memory::new(settings));
    Store {
        state: Arc::clone(&memory) as Arc<dyn State>,
        usage: Arc::clone(&memory) as Arc<dyn Usage>,
        clearing: memory,
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
