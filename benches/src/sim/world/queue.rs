//! What will happen, in order.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use shoal_protocol::time::Timestamp;

/// Events by time; those of one moment in the order in which they were planned.
///
/// Most events follow another after one of very few delays, so that they are planned in the order in which they happen:
/// those need no heap. In it are places of events rather than events, which are large.
#[derive(Debug)]
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<(When, usize)>>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
    lines: Vec<(Duration, VecDeque<(When, E)>)>,
    planned: u64,
}

/// A time, and the number of the event: no two events have the same.
type When = (Timestamp, u64);

impl<E> Queue<E> {
    /// Nothing will happen yet.
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), lines: Vec::new(), planned: 0 }
    }

    /// Plans an event.
    pub(super) fn push(&mut self, at: Timestamp, event: E) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        let when = self.when(at);
        self.heap.push(Reverse((when, place)));
    }

    /// Plans an event after a delay that many others have too. `now` never goes back.
    pub(super) fn push_after(&mut self, now: Timestamp, delay: Duration, event: E) {
        let when = self.when(now + delay);
        let line = self.lines.iter().position(|(known, _)| *known == delay).unwrap_or_else(|| {
            self.lines.push((delay, VecDeque::new()));
            self.lines.len() - 1
        });
        self.lines[line].1.push_back((when, event));
    }

    /// The next event, and when it happens.
    pub(super) fn pop(&mut self) -> Option<(Timestamp, E)> {
        let fronts = self.lines.iter_mut().filter_map(|(_, line)| Some((line.front()?.0, line)));
        let first_line = fronts.min_by_key(|(when, _)| *when);
        let first_placed = self.heap.peek().map(|Reverse((when, _))| *when);
        match first_line {
            Some((when, line)) if first_placed.is_none_or(|placed| when < placed) => {
                line.pop_front().map(|((at, _), event)| (at, event))
            }
            _ => {
                let Reverse(((at, _), place)) = self.heap.pop()?;
                self.free.push(place);
                Some((at, self.events[place].take()?))
            }
        }
    }

    fn when(&mut self, at: Timestamp) -> When {
        self.planned += 1;
        (at, self.planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_happen_in_time_and_in_the_order_of_planning() {
        let (mut rng, mut queue) = (fastrand::Rng::with_seed(1), Queue::new());
        let (mut happened, mut planned, mut now) = (Vec::new(), 0, Timestamp::ZERO);
        for _ in 0..2000 {
            for _ in 0..rng.u8(..3) {
                let delay = Duration::from_micros(rng.u64(..4) * 10);
                planned += 1;
                match rng.bool() {
                    true => queue.push_after(now, delay, planned),
                    false => queue.push(now + delay, planned),
                }
            }
            if let Some((at, event)) = queue.pop() {
                assert!(at >= now);
                now = at;
                happened.push((at, event));
            }
        }
        happened.extend(std::iter::from_fn(|| queue.pop()));
        assert_eq!(happened.len(), planned);
        assert!(happened.is_sorted());
    }
}
