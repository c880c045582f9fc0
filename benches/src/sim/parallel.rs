//! Independent worlds on several threads.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

/// Does `work` for each item on `threads` threads, and gives the results to `take` in the order of the items; ends
/// at the first error of `take`, without beginning further items.
pub(crate) fn each<I: Sync, T: Send, E>(
    items: &[I],
    threads: usize,
    work: impl Fn(&I) -> T + Sync,
    mut take: impl FnMut(&I, T) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::sync_channel(threads.max(1));
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    if sender.send((index, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&due) {
                take(&items[due], result)?;
                due += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_an_error_ends_it() {
        let items: Vec<u64> = (0..100).collect();
        let mut seen = Vec::new();
        let take = |item: &u64, square: u64| {
            assert_eq!(square, item * item);
            seen.push(*item);
            if *item == 42 { Err("enough") } else { Ok(()) }
        };
        assert_eq!(each(&items, 3, |item| item * item, take), Err("enough"));
        assert_eq!(seen, (0..=42).collect::<Vec<u64>>());
    }
}
