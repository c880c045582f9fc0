//! The task that owns the exchange machine, and the tables of fetches and neighbours.
//!
//! Each event goes into the machine, and then everything that the machine wants done is started: nothing here waits
//! for a socket, a disk or a hash.

mod actions;
mod fetches;
mod neighbours;
mod pieces;
mod spoiled;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use shoal_protocol::{
    digest::Digest,
    exchange::{Exchange, ExchangeConfig},
    geometry::PieceIndex,
    identity::NodeId,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{
    Shared,
    event::{Event, UploadJob},
    lanes,
    serving::OpenBlobs,
    transfer::Transfer,
};
use crate::lane::LaneListener;
use neighbours::Neighbours;
use spoiled::Spoiled;

/// How often members are renewed, and things that nobody uses are closed.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// The exchange's task.
pub(super) struct Task {
    shared: Arc<Shared>,
    machine: Exchange,
    events: mpsc::Sender<Event>,
    transfers: HashMap<Digest, Transfer>,
    /// Fetches whose earlier pieces are being verified, before the machine knows of them.
    preparing: HashSet<Digest>,
    neighbours: Neighbours,
    uploaders: HashMap<NodeId, mpsc::Sender<UploadJob>>,
    cancels: HashMap<(NodeId, Digest, PieceIndex), Arc<AtomicBool>>,
    open_blobs: OpenBlobs,
    spoiled: Spoiled,
    /// Tasks that end with this one.
    children: JoinSet<()>,
}

impl Task {
    pub(super) fn new(shared: Arc<Shared>, events: mpsc::Sender<Event>, random_seed: u64) -> Self {
        let config = ExchangeConfig::new(shared.key().node_id(), shared.seed.is_some(), random_seed);
        let machine = Exchange::new(config, shared.cluster().clone());
        Self {
            shared,
            machine,
            events,
            transfers: HashMap::new(),
            preparing: HashSet::new(),
            neighbours: Neighbours::default(),
            uploaders: HashMap::new(),
            cancels: HashMap::new(),
            open_blobs: OpenBlobs::default(),
            spoiled: Spoiled::default(),
            children: JoinSet::new(),
        }
    }

    /// Runs until told to stop.
    pub(super) async fn run(mut self, mut incoming: mpsc::Receiver<Event>, mut lanes: LaneListener) {
        let mut housekeeping = interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let done = loop {
            let due = self.machine.poll_timeout().map(|at| self.shared.clock.instant(at));
            let until_due = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = incoming.recv() => match event {
                    Some(Event::Stop { done }) => break Some(done),
                    Some(event) => self.handle(event),
                    None => break None,
                },
                Some((_, lane)) = lanes.accept() => self.handle(Event::Lane { lane }),
                Some(_) = self.children.join_next() => {}
                _ = housekeeping.tick() => self.keep_house(),
                () = until_due => self.machine.handle_timeout(self.shared.clock.now()),
            }
            self.carry_out();
        };
        self.record_all().await;
        self.machine.handle_leave();
        self.carry_out();
        self.neighbours.close().await;
        if let Some(done) = done {
            // An error means that whoever wanted to know has gone.
            let _ = done.send(());
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.shared.clock.now();
        match event {
            Event::Fetch { digest, image, reply } => self.on_fetch(digest, image, reply),
            Event::FetchReady { digest, image, asked_by_seed, resumed } => {
                self.on_fetch_ready(digest, image, asked_by_seed, resumed);
            }
            Event::Reader { digest, reader, next } => self.machine.handle_reader(now, &digest, reader, next),
            Event::ControlStream { from, stream } => self.on_control_stream(from, stream),
            Event::ControlOpened { node, stream } => self.on_control_opened(node, stream),
            Event::Message { from, epoch, message } => self.on_message(from, epoch, message),
            Event::ControlClosed { node, epoch } => self.on_control_closed(node, epoch),
            Event::Fault { node, fault } => self.strike(node, fault),
            Event::Disconnected { node } => self.on_disconnected(node),
            Event::Lane { lane } if self.neighbours.is_banned(&lane.node()) => {}
            Event::Lane { lane } => {
                self.children.spawn(lanes::receive(Arc::clone(&self.shared), lane, self.events.clone()));
            }
            Event::PieceArrived { from, header, reply } => self.on_piece_arrived(from, header, reply),
            Event::PieceDone { from, digest, piece, len_bytes, outcome } => {
                self.on_piece_done(from, digest, piece, len_bytes, outcome);
            }
            Event::LaneProgress { from } => self.machine.handle_progress(now, from),
            Event::Uploaded { to, digest, piece, sent } => self.on_uploaded(to, digest, piece, sent),
            Event::Found { digest, from, source, found } => self.on_found(digest, from, source, found),
            Event::Begun { digest, result } => self.on_begun(digest, result),
            Event::Recorded { digest, result } => self.on_recorded(&digest, result),
            Event::Completed { digest, result } => self.on_completed(digest, result),
            Event::Authored { digest, chain, pieces, len_bytes } => {
                self.on_authored(&digest, chain, &pieces, len_bytes);
            }
            Event::PullEnded { digest, result } => self.on_pull_ended(digest, result),
            Event::Stop { .. } => {}
        }
    }

    fn keep_house(&mut self) {
        self.renew_members();
        self.record_due();
        self.open_blobs.close_idle();
        self.uploaders.retain(|_, jobs| !jobs.is_closed());
    }
}
