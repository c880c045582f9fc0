//! What several probes need and only one of them has to find out.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

/// One value of each type.
///
/// The lock is held for one look-up. Types are those of the code, so there are few.
#[derive(Default)]
pub(super) struct Memo(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Memo {
    /// The value of type `T`; whoever comes first makes it, and the others wait for that. Should the first be cut off
    /// by its deadline, the next one makes it.
    pub(super) async fn get<T, F>(&self, make: impl FnOnce() -> F) -> Arc<T>
    where
        T: Send + Sync + 'static,
        F: Future<Output = T>,
    {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(OnceCell::<Arc<T>>::new()) as Arc<dyn Any + Send + Sync>;
            Arc::clone(slots.entry(TypeId::of::<T>()).or_insert_with(new))
        };
        match slot.downcast::<OnceCell<Arc<T>>>() {
            Ok(slot) => Arc::clone(slot.get_or_init(async || Arc::new(make().await)).await),
            // The key is the type, so this does not happen; without a memory the answer is the same.
            Err(_) => Arc::new(make().await),
        }
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use futures::future::join_all;

    use super::*;

    struct Answer(u32);

    #[tokio::test]
    async fn one_finds_out_for_all_and_who_is_cut_off_leaves_it_to_the_next() {
        let (memo, asked) = (Memo::default(), AtomicU32::new(0));
        let slow = memo.get(std::future::pending::<Answer>);
        assert!(tokio::time::timeout(Duration::from_millis(5), slow).await.is_err());
        let ask = || memo.get(|| async { Answer(asked.fetch_add(1, Ordering::Relaxed)) });
        let answers = join_all((0..8).map(|_| ask())).await;
        assert!(answers.iter().all(|answer| answer.0 == 0));
        assert_eq!(asked.into_inner(), 1);
    }
}
