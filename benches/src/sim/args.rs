//! What can be asked of a simulation.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::world::{Fate, Knobs, Setup, Slow, Zones};
use crate::{
    record::OutputArgs,
    units::{Bytes, Delay, Rate},
};

/// Simulate a flash crowd: the machines of production, a virtual clock, links of the given rate
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct SimArgs {
    /// Nodes that want the blob; of several numbers, as in 1,10,100, each gets a record of its own
    #[arg(long, value_delimiter = ',', default_value = "64")]
    #[serde(serialize_with = "number_or_list")]
    pub nodes: Vec<usize>,
    /// Rate of each node's link, in each direction
    #[arg(long, default_value = "10gbit")]
    pub rate: Rate,
    /// One-way delay between any two nodes
    #[arg(long, default_value = "0.2ms")]
    pub delay: Delay,
    /// Length of the image's data
    #[arg(long, default_value = "1GiB")]
    pub blob: Bytes,
    /// Blobs of equal length that make up the data
    #[arg(long, default_value_t = 1)]
    pub layers: u32,
    /// Worlds to run, each with a random seed of its own
    #[arg(long, default_value_t = 5)]
    pub seeds: u64,
    /// The first random seed
    #[arg(long, default_value_t = 1)]
    pub first_seed: u64,
    /// Who has the blob at the beginning
    #[arg(long, value_enum, default_value_t = Start::Warm)]
    pub start: Start,
    /// Rate of the origin [default: that of a node's link]
    #[arg(long)]
    pub origin_rate: Option<Rate>,
    /// Share of the nodes whose links are slower, as in 0.1
    #[arg(long, default_value_t = 0.0)]
    pub slow: f64,
    /// Rate of slow links over that of the others
    #[arg(long, default_value_t = 0.25)]
    pub slow_factor: f64,
    /// Share of the nodes that crash without a word, at random times of the run
    #[arg(long, default_value_t = 0.0)]
    pub crash: f64,
    /// One in this many pieces is lost on its way
    #[arg(long)]
    pub lost_one_in: Option<u32>,
    /// Groups of nodes behind trunks
    #[arg(long, requires = "trunk_rate")]
    pub zones: Option<usize>,
    /// Rate of each group's trunk
    #[arg(long)]
    pub trunk_rate: Option<Rate>,
    /// Delay between groups, on top of that within them
    #[arg(long, default_value = "0ms")]
    pub zone_delay: Delay,
    /// Length of a piece [default: by the blob's length]
    #[arg(long)]
    pub piece: Option<Bytes>,
    /// Worlds to run at the same time
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    #[command(flatten)]
    pub(super) knobs: Knobs,
    #[command(flatten)]
    #[serde(skip)]
    pub(super) output: OutputArgs,
}

/// Who has the blob at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The seed.
    Warm,
    /// Nobody but the origin.
    Cold,
    /// The seed and every other node.
    Half,
}

impl SimArgs {
    /// These arguments for one of the numbers of nodes.
    pub(super) fn with_nodes(&self, nodes: usize) -> Self {
        Self { nodes: vec![nodes], ..self.clone() }
    }

    /// The world with so many nodes and this random seed.
    pub(super) fn setup(&self, nodes: usize, random_seed: u64) -> Setup {
        let layer_bytes = self.blob.0 / u64::from(self.layers.max(1));
        Setup {
            random_seed,
            peers: nodes,
            seeds: 1,
            blobs_bytes: vec![layer_bytes; self.layers.max(1) as usize],
            piece_bytes: self.piece.map(|piece| u32::try_from(piece.0).unwrap_or(u32::MAX)),
            link_bytes_per_s: self.rate.0,
            slow: (self.slow > 0.0).then_some(Slow { share: self.slow, factor: self.slow_factor }),
            delay: self.delay.0,
            zones: self.zones.zip(self.trunk_rate).map(|(count, trunk)| Zones {
                count,
                trunk_bytes_per_s: trunk.0,
                extra_delay: self.zone_delay.0,
            }),
            origin_bytes_per_s: self.origin_rate.unwrap_or(self.rate).0,
            holders: match self.start {
                Start::Cold => 0,
                Start::Warm => 1,
                Start::Half => 1 + nodes / 2,
            },
            lost_one_in: self.lost_one_in,
            fates: self.crashes(nodes, random_seed),
            skips_hashing: true,
            knobs: self.knobs.clone(),
            ..Setup::default()
        }
    }

    /// Crashes at random times while the blob would take to pass.
    fn crashes(&self, nodes: usize, random_seed: u64) -> Vec<(usize, Duration, Fate)> {
        let mut rng = fastrand::Rng::with_seed(!random_seed);
        let mut peers: Vec<usize> = (1..=nodes).collect();
        rng.shuffle(&mut peers);
        peers.truncate((nodes as f64 * self.crash).round() as usize);
        let fluid_s = self.blob.0 as f64 / self.rate.0 as f64;
        peers
            .iter()
            .map(|peer| (*peer, Duration::from_secs_f64(fluid_s * rng.f64()), Fate::Vanishes))
            .collect()
    }

    /// The command that runs one of the worlds again.
    pub(super) fn replay(&self, nodes: usize, seed: u64) -> String {
        let mut command = String::from("shoal-bench");
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let option = word.split('=').next().unwrap_or_default();
            if !["--nodes", "--first-seed", "--seeds"].contains(&option) {
                command = format!("{command} {word}");
            } else if option == word {
                words.next();
            }
        }
        format!("{command} --nodes {nodes} --first-seed {seed} --seeds 1")
    }
}

/// A record is about one number of nodes, and reports look for that.
fn number_or_list<S: Serializer>(nodes: &[usize], serializer: S) -> Result<S::Ok, S::Error> {
    match nodes {
        [nodes] => nodes.serialize(serializer),
        several => several.serialize(serializer),
    }
}
