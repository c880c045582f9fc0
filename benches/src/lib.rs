//! `shoal-bench`: measures Shoal, and anything else that serves a registry's API, against what is physically possible.
//!
//! Every command makes some *runs* of one or more *cases*, keeps each run as a line of JSON (`record`), and ends with
//! one line that sums them up. `report` draws pages from those lines.

mod bound;
pub mod chaos;
pub mod cli;
pub mod lab;
pub mod latency;
pub mod loopback;
pub mod record;
pub mod report;
pub mod rig;
pub mod sim;
pub mod units;
