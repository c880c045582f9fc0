//! `shoal-bench lab`: real processes on links of a known rate.
//!
//! Every host is a network namespace (`network`) with a process of this program in it that takes orders (`agent`, and
//! `hand` at the other end of its pipe). What is measured, case by case and side by side in each run, is in `cases`;
//! `figures` turns what was seen into numbers, and `bound` says what is possible. `outside` measures mirrors that run
//! already, on links that are not ours.
//!
//! The rate B of every bound is the one that the links are set to, and headers are not taken off it: of each Ethernet
//! frame of 1514 bytes, 1448 are payload, so no system can come closer to a bound than 1/0.956. A run also keeps what a
//! plain copy over one of its links reached (`link_share`).

mod agent;
mod args;
mod bursts;
mod cases;
mod figures;
mod hand;
mod hosts;
mod leftovers;
mod needs;
mod network;
mod outside;
mod progress;

pub use args::{Case, LabArgs, Start};

use figures::Setting;
use hosts::Hosts;
use needs::Tools;

use crate::{cli::Failure, record::Session, rig::unless_stopped};

/// Runs the command.
///
/// # Errors
/// When something that is needed is missing, or the lab can't be put up; when it was interrupted. Whatever was made is
/// gone then.
pub fn run(args: &LabArgs) -> Result<(), Failure> {
    args.check()?;
    unless_stopped(measure(args))
}

/// Runs the agent that the lab starts on each of its hosts.
///
/// # Errors
/// When its orders can't be read.
pub fn serve_lab() -> Result<(), Failure> {
    agent::serve()
}

async fn measure(args: &LabArgs) -> Result<(), Failure> {
    if args.command.is_none() && !args.target.is_empty() {
        return outside::measure(args).await;
    }
    let tools = Tools::find(args.loss > 0.0)?;
    let (cases, left_out) = args.chosen_cases();
    cases::check(&cases, args)?;
    let mut session = Session::begin("lab", &figures::setup(args, left_out.as_deref()), &args.output)?;
    leftovers::remove(&tools.ip, |line| session.say(line));
    session.say(&format!("making {} hosts and a blob …", args.nodes + 2));
    if let Some(left_out) = left_out {
        session.say(&left_out);
    }
    let mut hosts = Hosts::up(args, &tools).await?;
    for number in 1..=args.runs {
        let link_bytes_per_s = hosts.link_bytes_per_s().await?;
        for case in &cases {
            let setting = cases::setting(*case, args, number, link_bytes_per_s);
            measure_case(*case, args, &setting, &mut hosts, &mut session).await?;
        }
    }
    drop(hosts);
    session.finish(cases.first().map_or("shoal", |case| case.name(args)))?;
    Ok(())
}

/// A busy machine makes another try worth while.
async fn measure_case(
    case: Case,
    args: &LabArgs,
    setting: &Setting,
    hosts: &mut Hosts,
    session: &mut Session,
) -> Result<(), Failure> {
    for _ in 0..args.tries {
        let run = cases::measure(case, args, setting, hosts).await?;
        let was_busy = figures::was_busy(&run);
        session.add(run)?;
        if !was_busy {
            break;
        }
    }
    Ok(())
}
