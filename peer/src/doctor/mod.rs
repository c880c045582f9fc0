//! `shoal doctor`: what is wrong with this node, why it matters, and the command that mends it.
//!
//! A [`Check`] looks at one thing. Its probe asks the real world through a [`Context`] and comes back with an
//! [`Outcome`]. [`diagnose`] runs the checks side by side, each under its deadline, and those that build on others only
//! when these are well. A [`Report`] holds what came of each, in the order of the list.
//!
//! A new check is a constant in a file of its own, and a line in the list of its category.

mod canary;
mod catalogue;
mod check;
mod checks;
mod cluster;
mod configuration;
mod context;
mod finding;
mod host;
mod memo;
mod node;
mod page;
mod registries;
mod report;
mod run;
mod runtimes;
mod select;
mod text;
mod watch;

pub use check::{Category, Check, Needs, Probe, QUICK, Severity};
pub use checks::all;
pub use context::{Context, Situation};
pub use finding::{Finding, Mend, Outcome};
pub use page::{Answer, Page, PageError};
pub use report::{CheckReport, Report, SCHEMA, State, Summary};
pub use run::diagnose;
pub use select::{UnknownCheck, select};
pub(crate) use watch::watch;

pub use catalogue::{catalogue, explain, list};
pub use text::to_text;
