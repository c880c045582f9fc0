//! What the logs say of one image: which of it came through Shoal, and which from a registry.

use std::time::Duration;

use shoal_tests::{
    compatibility::{Cell, Outcome},
    image::Descriptor,
    registry::LoggedRequest,
    shoal::MirrorRequest,
    stored::Image,
    wait::attempt,
};

use super::world::World;

/// Requests are logged when they have ended, which a runtime need not wait for.
const LOGGED_WITHIN: Duration = Duration::from_secs(20);

/// Tells from the logs how a pull that succeeded went; `Err` says what does not add up.
pub(super) async fn outcome(world: &World, cell: Cell, image: &Image) -> Result<Outcome, String> {
    let told = attempt(LOGGED_WITHIN, async || Seen::now(world, image).outcome(cell, image).ok()).await;
    told.map_or_else(|| Seen::now(world, image).outcome(cell, image), Ok)
}

/// How many requests for the layer of an image the mirror has had.
pub(super) fn layer_requests(world: &World, image: &Image) -> usize {
    let layer = image.largest();
    world.peer().mirror_requests().iter().filter(|request| request.path.ends_with(&layer.digest)).count()
}

/// All requests for one image.
#[derive(Debug)]
struct Seen {
    /// To the mirror.
    mirror: Vec<MirrorRequest>,
    /// From the runtime to a registry.
    direct: Vec<LoggedRequest>,
    /// From Shoal to a registry.
    shoal: Vec<LoggedRequest>,
}

impl Seen {
    fn now(world: &World, image: &Image) -> Self {
        let part = format!("/{}/", image.repository);
        let mut mirror = world.peer().mirror_requests();
        mirror.retain(|request| request.path.contains(&part));
        let mut requests = world.origin_requests();
        requests
            .retain(|request| request.target.contains(&part) && ["GET", "HEAD"].contains(&&*request.method));
        let (shoal, direct) = requests.into_iter().partition(|request| request.agent.starts_with("shoal/"));
        Self { mirror, direct, shoal }
    }

    /// What the runtime was sent of a blob.
    fn bytes(&self, blob: &Descriptor) -> u64 {
        self.sent_by_mirror(blob).map(|request| request.sent_bytes).sum::<u64>()
            + self.sent_by_registry(blob).map(|request| request.sent_bytes).sum::<u64>()
    }

    fn sent_by_mirror<'a>(&'a self, blob: &'a Descriptor) -> impl Iterator<Item = &'a MirrorRequest> {
        self.mirror.iter().filter(|request| request.path.ends_with(&blob.digest) && request.sent_bytes > 0)
    }

    fn sent_by_registry<'a>(&'a self, blob: &'a Descriptor) -> impl Iterator<Item = &'a LoggedRequest> {
        self.direct.iter().filter(|request| {
            let content = request.method == "GET" && [200, 206].contains(&request.status);
            content && request.blob() == Some(blob.digest.as_str())
        })
    }

    fn outcome(&self, cell: Cell, image: &Image) -> Result<Outcome, String> {
        if image.blobs.iter().any(|blob| self.bytes(blob) < blob.size_bytes) {
            return Err(format!("not all bytes are in the logs: {self:#?}"));
        }
        let layer = image.largest();
        let through = self.sent_by_mirror(layer).next().is_some();
        let resumes = self.sent_by_registry(layer).any(|request| request.status == 206);
        let direct = self.sent_by_registry(layer).next().is_some();
        let outcome = match (through, direct) {
            (true, false) if cell == Cell::Broken => self.went_on_at_the_mirror(layer),
            (true, false) => Outcome::Through,
            (true, true) if resumes => Outcome::RestDirect,
            (true, true) => Outcome::AgainDirect,
            (false, _) => Outcome::Direct,
        };
        match outcome {
            Outcome::Through if !self.direct.is_empty() => {
                Err(format!("the runtime also asked a registry: {self:#?}"))
            }
            Outcome::Through if image.blobs.iter().any(|blob| self.shoal_gets(blob) != 1) => {
                Err(format!("Shoal did not get each blob once: {self:#?}"))
            }
            outcome => Ok(outcome),
        }
    }

    fn shoal_gets(&self, blob: &Descriptor) -> usize {
        let gets = self.shoal.iter().filter(|request| request.method == "GET");
        gets.filter(|request| request.blob() == Some(blob.digest.as_str())).count()
    }

    fn went_on_at_the_mirror(&self, layer: &Descriptor) -> Outcome {
        let last = self.sent_by_mirror(layer).last();
        match last {
            Some(request) if request.sent_bytes < layer.size_bytes => Outcome::RestThrough,
            _ => Outcome::AgainThrough,
        }
    }
}
