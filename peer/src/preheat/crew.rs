//! A job on other nodes: each is asked for one image after the other until it has them all.
//!
//! A node that does not answer falls out. Where the order is for a number of nodes, the next in line takes its place;
//! where it is for a zone, it is missing in the end. What a registry lacks, no other node gets either.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use shoal_protocol::{
    identity::NodeId,
    wire::{PlatformName, PreheatOrder, PreheatProgress, PreheatState},
};
use tokio::task::JoinSet;

use super::{
    Shared,
    fleet::{Member, Silence},
    job::Job,
    spread::Chosen,
    tally::Tally,
};

/// Nodes that are worked on at a time: the registry gives each blob once, and the first nodes give it to the next ones.
const MAX_NODES_AT_ONCE: usize = 32;
/// Images that a node is asked for at a time: the manifests of the next come while the layers of one do.
const MAX_IMAGES_AT_ONCE: usize = 2;
/// Pause between two questions about one image.
const PAUSE: Duration = Duration::from_secs(1);
/// Questions in a row that may go without an answer, each with its own deadline.
const MAX_SILENCES: u32 = 5;
/// Questions in a row that may find a node with too many orders: it has as many for ten minutes.
const MAX_BUSY: u32 = 600;
/// Cancellations that are passed on at a time.
const MAX_CANCELS_AT_ONCE: usize = 32;

/// The work on a job's nodes. Clones share it.
#[derive(Clone)]
pub(super) struct Crew {
    pub(super) job: Arc<Job>,
    pub(super) shared: Arc<Shared>,
    /// Which node is being asked for which image: what a cancellation is passed on for.
    under_way: Arc<Mutex<BTreeSet<(NodeId, usize)>>>,
}

impl Crew {
    pub(super) fn new(job: Arc<Job>, shared: Arc<Shared>) -> Self {
        Self { job, shared, under_way: Arc::default() }
    }

    /// Has every node fetch every image, until the job is cancelled; then says so to the nodes.
    pub(super) async fn run(self, chosen: Chosen) {
        let cancelled = self.job.cancellation().clone();
        match cancelled.run_until_cancelled(self.clone().work(chosen)).await {
            Some(()) => self.job.finish(),
            None => {
                self.job.cancel();
                self.pass_cancel_on().await;
            }
        }
    }

    async fn work(self, chosen: Chosen) {
        let mut candidates = chosen.candidates.into_iter();
        let mut owed = chosen.count;
        // Its tasks end with it, when the job is cancelled.
        let mut running = JoinSet::new();
        loop {
            while owed > 0 && running.len() < MAX_NODES_AT_ONCE {
                let Some(member) = candidates.next() else { break };
                owed -= 1;
                running.spawn(self.clone().equip(member));
            }
            match running.join_next().await {
                None => break,
                Some(Ok(Ok(()))) => {}
                // It fell out, so the next in line is owed.
                Some(Ok(Err(_)) | Err(_)) => owed += 1,
            }
        }
        self.job.tally(|tally, report| tally.conclude(report, chosen.count));
    }

    /// Has one node fetch every image.
    async fn equip(self, member: Member) -> Result<(), Silence> {
        let Some(place) = self.job.tally(|_, report| Tally::begin(report, &member)) else { return Ok(()) };
        let images = stream::iter(0..self.job.order().images.len());
        let asked = images.map(|image| self.equip_with(place, member.node, image));
        let mut asked = std::pin::pin!(asked.buffer_unordered(MAX_IMAGES_AT_ONCE));
        while let Some(outcome) = asked.next().await {
            if let Err(silence) = outcome {
                tracing::warn!(job = self.job.id(), node = %member.node, %silence, "a node falls out of a preheat job");
                self.job.tally(|tally, report| tally.fall_out(report, place, &silence));
                return Err(silence);
            }
        }
        self.job.tally(|_, report| Tally::end(report, place));
        Ok(())
    }

    /// Asks a node for an image until it has it, or can't have it.
    async fn equip_with(&self, place: usize, node: NodeId, image: usize) -> Result<(), Silence> {
        let order = self.order(image, false);
        self.note(node, image, true);
        let (mut silences, mut refusals) = (0, 0);
        let outcome = loop {
            match self.ask(node, &order).await {
                Ok(progress) => {
                    (silences, refusals) = (0, 0);
                    self.job.tally(|tally, report| tally.tell(report, place, image, &progress));
                    match progress.state {
                        PreheatState::Running => {}
                        PreheatState::Done | PreheatState::Failed => break Ok(()),
                        // By nobody here: it is about to stop.
                        PreheatState::Cancelled => break Err(Silence::Refused),
                    }
                }
                Err(Silence::Busy) if refusals < MAX_BUSY => refusals += 1,
                Err(Silence::NoAnswer(_)) if silences < MAX_SILENCES => silences += 1,
                Err(silence) => break Err(silence),
            }
            tokio::time::sleep(PAUSE).await;
        };
        self.note(node, image, false);
        outcome
    }

    /// Tells the nodes that are at work to stop, as far as they can be reached.
    async fn pass_cancel_on(&self) {
        let under_way = std::mem::take(&mut *self.under_way.lock().unwrap_or_else(PoisonError::into_inner));
        let cancels = stream::iter(under_way).map(|(node, image)| async move {
            let asked = self.ask(node, &self.order(image, true)).await;
            if let Err(silence) = asked {
                tracing::debug!(%node, %silence, "a node was not told that an image is not wanted any more");
            }
        });
        cancels.buffer_unordered(MAX_CANCELS_AT_ONCE).collect::<()>().await;
    }

    async fn ask(&self, node: NodeId, order: &PreheatOrder) -> Result<PreheatProgress, Silence> {
        if node == self.shared.fleet.me() {
            return self.shared.answer(node, order).map_err(Silence::from);
        }
        self.shared.fleet.ask(node, order).await
    }

    fn order(&self, place: usize, cancel: bool) -> PreheatOrder {
        let order = self.job.order();
        let image = &order.images[place];
        PreheatOrder {
            job: self.job.number(),
            place: u32::try_from(place).unwrap_or(u32::MAX),
            cancel,
            image: image.name.clone(),
            reference: image.reference.clone(),
            platforms: order.named_platforms.iter().cloned().map(PlatformName).collect(),
        }
    }

    fn note(&self, node: NodeId, image: usize, is_under_way: bool) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if is_under_way {
            under_way.insert((node, image));
        } else {
            under_way.remove(&(node, image));
        }
    }
}
