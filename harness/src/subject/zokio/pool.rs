//! zokio's object pool on bare pinned threads, as the other pools are measured: it needs no runtime.

use std::sync::Arc;

use zokio::pool::{ObjectPool, Pooled};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use crate::measure::tally::Ledger;
use crate::subject::body::drive::unsupported;
use crate::subject::body::users;
use crate::subject::pools;
use crate::subject::pools::lender::Lender;
use crate::subject::pools::object::Object;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::pool::{Empty, PoolWorkload};

struct Shared<'a>(&'a ObjectPool<Object>);

impl Lender for Shared<'_> {
    type Held = Pooled<Object>;

    #[inline]
    fn acquire(&mut self) -> Option<Pooled<Object>> {
        self.0.try_acquire()
    }

    /// Its capacity is a bound.
    fn create(&mut self) -> Option<Pooled<Object>> {
        None
    }

    #[inline]
    fn release(&mut self, object: Pooled<Object>) {
        drop(object);
    }
}

/// Runs a trial.
///
/// # Errors
/// A [`Failure`] of the set-up; class `unsupported` where the pool would have to make objects beyond its capacity.
pub fn run(trial: &Trial, session: &Session, control: &Arc<Ledger>, workload: &PoolWorkload) -> Result<TrialRecord, Failure> {
    let held_at_once = u64::from(users::count(trial)) * u64::from(workload.held);
    if workload.empty == Empty::Create && held_at_once > u64::from(workload.capacity) {
        let message = format!("zokio's pool makes no object beyond its capacity: {held_at_once} are held of {}", workload.capacity);
        return Err(unsupported(&message));
    }
    let pool = ObjectPool::new(workload.capacity as usize, Object::default);
    // Full from the start, as the others are.
    drop(std::iter::from_fn(|| pool.try_acquire()).collect::<Vec<_>>());
    pools::run(trial, session, control, "object-pool", workload, || Shared(&pool))
}
