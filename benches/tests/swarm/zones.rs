//! Swarms in several zones, whose trunks are no faster than a node's link.

use std::time::Duration;

use shoal_benches::sim::world::{Fate, PIECE_BYTES, Setup, Slow, Zones};

use super::{each_seed, everyone_completes, last_completion};

const BLOB_BYTES: u64 = 256 * PIECE_BYTES;

fn four_zones() -> Setup {
    let link_bytes_per_s = 12_500_000;
    let zones =
        Zones { count: 4, trunk_bytes_per_s: link_bytes_per_s, extra_delay: Duration::from_millis(2) };
    Setup {
        peers: 32,
        holders: 1,
        blobs_bytes: vec![BLOB_BYTES],
        link_bytes_per_s,
        zones: Some(zones),
        ..Setup::default()
    }
}

#[test]
fn each_piece_comes_into_each_zone_about_once() {
    each_seed(3, &four_zones(), |world| {
        everyone_completes(world);
        let copies = world.outcome().cross_zone_bytes as f64 / BLOB_BYTES as f64;
        assert!((3.0..3.6).contains(&copies), "{copies:.2} copies went to the three zones without a seed");
        // A trunk takes 1.34 s for one copy. Nodes that do not know of zones take 11 s.
        assert!(last_completion(world) < Duration::from_secs(4), "{:?}", last_completion(world));
    });
}

#[test]
fn nodes_that_crash_or_crawl_keep_no_piece_from_their_zones() {
    let moments = [300, 500, 700].map(Duration::from_millis);
    let fates = [3, 8, 14].into_iter().zip(moments).map(|(peer, at)| (peer, at, Fate::Vanishes)).collect();
    let slow = Some(Slow { share: 0.1, factor: 0.1 });
    let setup = Setup { fates, slow, ..four_zones() };
    each_seed(3, &setup, |world| {
        everyone_completes(world);
        let copies = world.outcome().cross_zone_bytes as f64 / BLOB_BYTES as f64;
        assert!(copies < 6.0, "{copies:.2}");
    });
}
