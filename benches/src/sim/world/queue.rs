//! What will happen, in order.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use shoal_protocol::time::Timestamp;

/// Events by time; those of one moment in the order in which they were planned.
#[derive(Debug)]
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<Planned<E>>>,
    planned: u64,
}

#[derive(Debug)]
struct Planned<E> {
    at: Timestamp,
    number: u64,
    event: E,
}

impl<E> Queue<E> {
    /// Nothing will happen yet.
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), planned: 0 }
    }

    /// Plans an event.
    pub(super) fn push(&mut self, at: Timestamp, event: E) {
        self.planned += 1;
        self.heap.push(Reverse(Planned { at, number: self.planned, event }));
    }

    /// The next event, and when it happens.
    pub(super) fn pop(&mut self) -> Option<(Timestamp, E)> {
        let Reverse(Planned { at, event, .. }) = self.heap.pop()?;
        Some((at, event))
    }
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Planned<E> {}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Planned<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
