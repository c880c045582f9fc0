//! What arrives on a lane, to be looked at from outside while it does.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use shoal_protocol::wire::LaneHeader;

/// How far a lane is. A piece on a slow link is alive as long as this changes.
#[derive(Debug)]
pub struct LaneProgress {
    /// A std mutex: held for one copy, never across an await.
    state: Mutex<State>,
}

/// A piece of which the header has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arriving {
    /// Which piece.
    pub header: LaneHeader,
    /// How much of it is here.
    pub received_bytes: u32,
    /// Time since its last byte.
    pub idle: Duration,
}

#[derive(Debug)]
struct State {
    header: Option<LaneHeader>,
    received_bytes: u32,
    total_bytes: u64,
    last_byte: Instant,
}

impl LaneProgress {
    pub(super) fn new() -> Self {
        let state = State { header: None, received_bytes: 0, total_bytes: 0, last_byte: Instant::now() };
        Self { state: Mutex::new(state) }
    }

    /// The piece that is arriving, if one is.
    pub fn arriving(&self) -> Option<Arriving> {
        self.with(|state| {
            let header = state.header?;
            let idle = state.last_byte.elapsed();
            Some(Arriving { header, received_bytes: state.received_bytes, idle })
        })
    }

    /// Bytes of pieces that the lane has brought.
    pub fn total_bytes(&self) -> u64 {
        self.with(|state| state.total_bytes)
    }

    pub(super) fn begin(&self, header: LaneHeader) {
        self.with(|state| {
            state.header = Some(header);
            state.received_bytes = 0;
            state.last_byte = Instant::now();
        });
    }

    pub(super) fn advance(&self, bytes: usize) {
        self.with(|state| {
            state.received_bytes =
                state.received_bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
            state.total_bytes += bytes as u64;
            state.last_byte = Instant::now();
        });
    }

    pub(super) fn end(&self) {
        self.with(|state| state.header = None);
    }

    fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        action(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
