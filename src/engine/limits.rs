//! [`Limits`]: what answering questions may take of the machine.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool, UnboundedMemoryPool};

/// What answering questions may take of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of memory for groups, sorted rows and joins. What does not fit is kept in temporary files, where that can
    /// be (joins that would not fit are made by sorting); a question that cannot do with so little fails.
    pub memory: Option<usize>,
}

/// How many of the largest consumers of memory an error names.
const NAMED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

impl Limits {
    /// The memory, to be shared by all that is asked.
    pub fn pool(&self) -> Arc<dyn MemoryPool> {
        match self.memory {
            // Shared fairly, so that no operator starves those that can spill.
            Some(bytes) => Arc::new(TrackConsumersPool::new(FairSpillPool::new(bytes), NAMED)),
            None => Arc::new(UnboundedMemoryPool::default()),
        }
    }
}
