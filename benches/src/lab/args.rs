//! What is asked of the lab.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::{
    cli::Failure,
    record::OutputArgs,
    units::{Bytes, Rate},
};

/// Without being asked for, pulls of every node over the origin's one link are left out when they take longer.
const PATIENCE_S: f64 = 300.0;

/// Measures real processes on links of a known rate: a network namespace for each node, on this machine
///
/// Needs root, and the programs `ip` and `tc`. Everything that it makes is removed at the end; network namespaces of a
/// lab that was killed, and what runs in them, when the next one starts. Times are held against what is possible at the
/// rate of the links, of which 4.4 % are the headers of Ethernet, IP and TCP.
#[derive(Clone, Debug, Args, Serialize)]
pub struct LabArgs {
    /// How many nodes pull
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub nodes: u16,
    /// Rate of each link, in each direction: of every node, of the seed, of the origin
    #[arg(long, default_value = "100mbit")]
    pub rate: Rate,
    /// Length of what is pulled
    #[arg(long, default_value = "128MiB")]
    pub blob: Bytes,
    /// Who has it at the beginning
    #[arg(long, value_enum, default_value_t = Start::Warm)]
    pub start: Start,
    /// How many times each case is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// How many times a run is tried when the machine turns out to be busy with other things
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub tries: u32,
    /// What is measured, in this order [default: shoal, whole_layer, direct if it takes no more than minutes, and
    /// rival if there is a --command]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub cases: Vec<Case>,
    /// Share of packets that every node loses, such as 1%
    #[arg(long, value_parser = share, default_value = "0%")]
    pub loss: f64,
    /// TCP's congestion control
    #[arg(long, default_value = "cubic")]
    pub congestion: String,
    /// The program `shoal` [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub shoal: Option<PathBuf>,
    /// Folder for the data of all nodes, which is removed at the end [default: the system's temporary one]
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Start this on each node as the case `rival`. {node}, {address}, {origin} and {folder} are replaced
    #[arg(long, value_name = "COMMAND", requires = "target")]
    pub command: Option<String>,
    /// URL that a node pulls from: of the rival on it, where {node}, {address}, {origin} and {digest} are replaced.
    /// Without --command, of mirrors that run already, with the digest in it: then neither namespaces nor links are
    /// made, and --rate says what the links have
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub target: Vec<String>,
    /// What to call the rival in results
    #[arg(long, default_value = "rival")]
    pub name: String,
    /// Where results go.
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArgs,
}

/// Who has the blob at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The origin and the seed
    Warm,
    /// The origin alone
    Cold,
    /// The origin, the seed and half of the nodes; the others are measured
    Half,
}

/// Who brings the blob to the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Case {
    /// Shoal
    Shoal,
    /// Nodes that have all of it, each to a few others at a time
    WholeLayer,
    /// The origin, to every node
    Direct,
    /// What --command starts
    Rival,
}

impl LabArgs {
    /// What is measured, and what is left out that could have been.
    pub(super) fn chosen_cases(&self) -> (Vec<Case>, Option<String>) {
        if !self.cases.is_empty() {
            return (self.cases.clone(), None);
        }
        let mut cases = vec![Case::Shoal, Case::WholeLayer];
        if self.command.is_some() {
            cases.insert(1, Case::Rival);
        }
        let direct_s = f64::from(self.nodes - self.warm_nodes()) * self.copy_s();
        if direct_s > PATIENCE_S {
            let note = format!(
                "the case direct is left out: it would take {direct_s:.0} s each time; --cases asks for it"
            );
            return (cases, Some(note));
        }
        cases.push(Case::Direct);
        (cases, None)
    }

    /// What does not fit together, before anything is made.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let has_rival = self.command.is_some();
        if self.cases.contains(&Case::Rival) && !has_rival {
            return Err("the case rival needs a --command that starts it".into());
        }
        if has_rival && self.start == Start::Warm && self.chosen_cases().0.contains(&Case::Rival) {
            return Err("a rival has no seed that could be warm: take --start cold or --start half".into());
        }
        if self.start == Start::Half && self.nodes < 2 {
            return Err("--start half needs two nodes or more".into());
        }
        if self.blob.0 == 0 {
            return Err("a blob of no bytes takes no time: --blob needs a length".into());
        }
        Ok(())
    }

    /// How many nodes have the blob at the beginning; they are the first ones.
    pub(super) fn warm_nodes(&self) -> u16 {
        if self.start == Start::Half { self.nodes / 2 } else { 0 }
    }

    /// Data of all hosts, at the end of a run.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.blob.0.saturating_mul(u64::from(self.nodes) + 2)
    }

    /// Time that one copy of the blob takes on a link.
    pub(super) fn copy_s(&self) -> f64 {
        self.blob.0 as f64 / self.rate.0 as f64
    }
}

impl Case {
    /// Its name in results.
    pub(super) fn name(self, args: &LabArgs) -> &str {
        match self {
            Self::Shoal => "shoal",
            Self::WholeLayer => "whole_layer",
            Self::Direct => "direct",
            Self::Rival => &args.name,
        }
    }
}

/// `1%` or `0.01`.
fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share.filter(|share| (0.0..1.0).contains(share)).ok_or_else(|| "write a share such as 1% or 0.01".into())
}
