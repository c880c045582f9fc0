//! `shoal doctor`.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{Arg, Args};

use crate::{
    config::{self, Inputs},
    configure::Root,
    doctor::{self, Check, Context, Report, Situation},
};

use super::{
    args::NodeArgs,
    exit::{CliError, Exit},
    print, runtime,
};

/// Pause between two rounds of `--wait`.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Checks, or categories of checks, to run with those that they build on [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Look before the node runs: only what can be known without it
    #[arg(long)]
    pre: bool,
    /// Look again until nothing fails, for so long at most: 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = config::time)]
    wait: Option<Duration>,
    /// Name every check, and run none
    #[arg(long)]
    list: bool,
    /// Say what a check looks at, and what to do when it finds something
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    explain: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Count warnings as failures
    #[arg(long)]
    strict: bool,
    /// Folder that stands for the root of this host's file system
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: std::path::PathBuf,
    #[command(flatten)]
    node: NodeArgs,
}

/// The short help leaves out the node's settings, which only a node without a file needs here.
pub(super) fn hide_settings(arg: Arg) -> Arg {
    const OWN: [&str; 9] = ["names", "pre", "wait", "list", "explain", "json", "strict", "root", "config"];
    let is_own = OWN.contains(&arg.get_id().as_str());
    arg.hide_short_help(!is_own)
}

/// Runs the checks, prints what came of them, and fails when something is wrong.
pub(super) fn doctor(args: DoctorArgs) -> Result<(), CliError> {
    let all = doctor::all();
    if args.list {
        return print(&doctor::list(&all));
    }
    if let Some(name) = &args.explain {
        let check = all.iter().find(|check| check.id == name);
        let check = check.ok_or_else(|| unknown(&all, name))?;
        return print(&doctor::explain(check));
    }
    let chosen = doctor::select(&all, &args.names).map_err(|error| CliError::new(Exit::Usage, error))?;
    let (json, strict) = (args.json, args.strict);
    let report = runtime()?.block_on(look(args, &chosen));
    show(&report, json)?;
    outcome(&report, strict)
}

fn unknown(all: &[&'static Check], name: &str) -> CliError {
    match doctor::select(all, &[name.to_owned()]) {
        Err(error) => CliError::new(Exit::Usage, error),
        Ok(_) => CliError::new(
            Exit::Usage,
            format!("{name} is a category; `shoal doctor --list` names its checks"),
        ),
    }
}

/// One round; with `--wait`, as many as it takes.
async fn look(args: DoctorArgs, checks: &[&'static Check]) -> Report {
    let until = args.wait.map(|wait| Instant::now() + wait);
    let NodeArgs { config, flags } = args.node;
    loop {
        let context = Arc::new(Context::new(Situation {
            root: Root::new(&args.root),
            inputs: Inputs::of_process(config.clone(), flags.clone()),
            is_pre: args.pre,
        }));
        let report = doctor::diagnose(&context, checks).await;
        let is_over = until.is_none_or(|until| Instant::now() + LOOK_EVERY > until);
        if report.summary().failures == 0 || is_over {
            return report;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Colours go to a terminal only, and not with `NO_COLOR` or `TERM=dumb`.
fn show(report: &Report, json: bool) -> Result<(), CliError> {
    if json {
        return print(&format!("{:#}\n", report.to_json()));
    }
    let mut out = anstream::stdout().lock();
    match out.write_all(doctor::to_text(report).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::CouldNotRun, format!("can't write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn outcome(report: &Report, strict: bool) -> Result<(), CliError> {
    let doctor::Summary { failures, warnings, .. } = report.summary();
    match (failures, warnings) {
        (0, 0) => Ok(()),
        (0, _) if !strict => Ok(()),
        (0, _) => Err(CliError::new(Exit::Failure, "a warning counts as a failure (--strict)")),
        _ => Err(CliError::new(Exit::Failure, "not all is well: each problem above has its mend")),
    }
}
