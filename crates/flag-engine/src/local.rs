//! The live snapshot as one thread keeps it for itself. Threads that take a reference of their own at every request pass its
//! count from core to core, which takes longer than the evaluation.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use flag_core::Snapshot;
use tokio::runtime::Handle;

use crate::engine::{Engine, Shared};

/// The live snapshot for one thread, which shares nothing with others while nothing changes.
///
/// It holds on to the snapshot that it gave last. A thread that may have nothing to do for long asks now and then, so that what
/// is no longer live can be freed.
pub struct LocalSnapshot {
    shared: Arc<Shared>,
    generation: Cell<u64>,
    kept: RefCell<Option<Rc<Live>>>,
}

/// A snapshot that was live when it was given, behind a count of its own.
#[derive(Debug)]
pub struct Live(Arc<Snapshot>);

impl Live {
    /// One that is known otherwise.
    #[must_use]
    pub fn known(snapshot: Arc<Snapshot>) -> Rc<Self> {
        Rc::new(Self(snapshot))
    }
}

impl Deref for Live {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl Engine {
    /// The live snapshot for the current thread.
    #[must_use]
    pub fn local(&self) -> LocalSnapshot {
        let shared = Arc::clone(&self.shared);
        LocalSnapshot { shared, generation: Cell::default(), kept: RefCell::default() }
    }
}

impl LocalSnapshot {
    /// The live snapshot, as [`Engine::snapshot`] would give it now; nothing before the first one arrived. Waits for nothing
    /// but, after a change, others who take a reference just then.
    #[must_use]
    pub fn live(&self) -> Option<Rc<Live>> {
        // Read before the snapshot: if that is newer still, it is taken once more the next time.
        let generation = self.shared.cell.generation();
        if generation != self.generation.replace(generation) {
            let live = self.shared.cell.load();
            let old = self.kept.replace(live.clone().map(Live::known));
            let_go(old, live.as_deref());
        }
        self.kept.borrow().clone()
    }
}

/// Lets a snapshot go in whose place another one is `live`. Whoever has the last reference frees it, and that may be everything
/// there was: then not on a thread that answers requests.
fn let_go(old: Option<Rc<Live>>, live: Option<&Snapshot>) {
    let old = old.and_then(Rc::into_inner).and_then(|Live(old)| Arc::into_inner(old));
    if let (Some(old), Ok(runtime)) = (old, Handle::try_current())
        && !live.is_some_and(|live| live.is_near(&old))
    {
        runtime.spawn_blocking(move || drop(old));
    }
}

impl fmt::Debug for LocalSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSnapshot").field("generation", &self.generation).finish_non_exhaustive()
    }
}
