//! Every runtime pulls through Shoal, and goes on without it: what `docs/compatibility.md` tells.
//!
//! All runtimes share one peer, and pull at the same time. Each has an image of its own for each cell, so that what the
//! peer's and the registries' logs say of an image is about one pull.

mod runtimes;
mod seen;
mod world;

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use shoal_tests::{
    compatibility::{Cell, Outcome, Row, publish},
    crowd::Crowd,
    process::Signal,
    relay::Relay,
    wait::attempt,
};

use self::{
    runtimes::{Contender, contenders},
    world::World,
};

/// What a connection from a registry lets through at first: enough that runtimes have part of a layer, not all.
const HOLD_AFTER_BYTES: u64 = 1024 * 1024;
/// Of a layer, at each runtime. Two that share a link can't have twice of this by one of them alone.
const PART_BYTES: u64 = HOLD_AFTER_BYTES / 4 * 3;
/// How many have part of a layer at a time: a seed asks a registry for no more than 16 blobs at once.
const BATCH: usize = 8;
const PART_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn every_runtime_pulls_through_shoal_and_goes_on_without_it() {
    let mut world = World::start().await;
    let mut contenders = contenders(&world).await;

    for cell in [Cell::Tag, Cell::Digest, Cell::Private, Cell::PrivateLogin] {
        try_all(&world, &mut contenders, cell).await;
    }
    contenders.iter().for_each(|contender| assert_all_through(&contender.row));
    break_connections(&world, &mut contenders).await;
    crowd_out(&world, &mut contenders).await;
    stand_still(&mut world, &mut contenders).await;
    end_short(&mut world, &mut contenders).await;
    // The seed is gone for good: the peer has nothing of what is asked from now on.
    try_all(&world, &mut contenders, Cell::Absent).await;
    world.cluster.peers[0].kill();
    try_all(&world, &mut contenders, Cell::Down).await;

    let rows: Vec<Row> = contenders.into_iter().map(|contender| contender.row).collect();
    publish(&rows);
    rows.iter().for_each(assert_goes_on);
}

/// Every runtime gets all of an image through Shoal.
fn assert_all_through(row: &Row) {
    for tried in &row.tried {
        assert_eq!(tried.outcome, Outcome::Through, "{}: {:?}", row.what(), tried.cell);
    }
}

/// Every runtime goes on without Shoal, and containerd in the middle of a layer, too.
fn assert_goes_on(row: &Row) {
    use Outcome::{Chance, Direct, RestDirect, RestThrough};
    let what = row.what();
    for cell in [Cell::Absent, Cell::Mute, Cell::Full, Cell::Down] {
        assert_eq!(row.outcome(cell), Some(Direct), "{what}: {cell:?}");
    }
    if row.runtime == "containerd" {
        let (broken, short) = (row.outcome(Cell::Broken), row.outcome(Cell::Short));
        assert!(matches!(broken, Some(RestThrough | Chance)), "{what}: {broken:?}");
        assert!(matches!(short, Some(RestDirect | Chance)), "{what}: {short:?}");
    }
}

/// Lets all that can pull for a cell, at once.
async fn try_all(world: &World, contenders: &mut [Contender], cell: Cell) {
    join_all(contenders.iter_mut().map(|contender| contender.try_one(world, cell))).await;
}

/// Breaks every runtime's connections to the mirror while it has part of a layer.
async fn break_connections(world: &World, contenders: &mut [Contender]) {
    for batch in contenders.chunks_mut(BATCH) {
        let links = links(batch);
        world.hold_origins_after(HOLD_AFTER_BYTES);
        let breaks = async {
            part_of_a_layer_on(&links).await;
            break_each_once(&links);
            world.hold_origins_after(0);
        };
        tokio::join!(try_all(world, batch, Cell::Broken), breaks);
    }
}

/// Fills the mirror with clients before every runtime pulls.
async fn crowd_out(world: &World, contenders: &mut [Contender]) {
    // What runtimes kept open would still be answered.
    break_each_once(&links(contenders));
    let crowd = Crowd::fill(world.peer().mirror()).await;
    try_all(world, contenders, Cell::Full).await;
    drop(crowd);
}

/// Stops the seed, but leaves its connections, while every runtime pulls.
async fn stand_still(world: &mut World, contenders: &mut [Contender]) {
    world.cluster.seeds[0].process().signal(Signal::Stop);
    try_all(world, contenders, Cell::Mute).await;
    world.cluster.seeds[0].process().signal(Signal::Cont);
}

/// Runtimes that share a link share a break: a second one would meet what they opened after the first, and a runtime
/// whose second connection breaks, too, may well go to the registry.
fn break_each_once(links: &[Arc<Relay>]) {
    for (at, link) in links.iter().enumerate() {
        if !links[..at].iter().any(|earlier| Arc::ptr_eq(earlier, link)) {
            link.break_connections();
        }
    }
}

/// Kills the seed while every runtime has part of a layer: the peer can't get the rest. In the end the seed is dead.
async fn end_short(world: &mut World, contenders: &mut [Contender]) {
    let mut seed = world.cluster.seeds.remove(0);
    for batch in contenders.chunks_mut(BATCH) {
        let links = links(batch);
        seed.restart().await;
        world.cluster.met().await;
        world.hold_origins_after(HOLD_AFTER_BYTES);
        let kill = async {
            part_of_a_layer_on(&links).await;
            seed.kill();
            world.hold_origins_after(0);
        };
        tokio::join!(try_all(world, batch, Cell::Short), kill);
    }
}

fn links(contenders: &[Contender]) -> Vec<Arc<Relay>> {
    contenders.iter().map(|contender| Arc::clone(&contender.link)).collect()
}

/// Waits until each link has passed what a runtime gets of a layer before that is held, for each runtime that uses it.
async fn part_of_a_layer_on(links: &[Arc<Relay>]) {
    let before: Vec<u64> = links.iter().map(|link| link.passed_bytes()).collect();
    let wanted =
        |link: &Arc<Relay>| PART_BYTES * links.iter().filter(|other| Arc::ptr_eq(link, other)).count() as u64;
    let passed = || links.iter().zip(&before).map(|(link, before)| (link, link.passed_bytes() - before));
    let enough = || passed().all(|(link, passed_bytes)| passed_bytes >= wanted(link));
    let waited = attempt(PART_WITHIN, async || enough().then_some(())).await;
    let seen: Vec<u64> = passed().map(|(_, passed_bytes)| passed_bytes).collect();
    assert!(waited.is_some(), "not part of a layer at every runtime, but bytes: {seen:?}");
}
