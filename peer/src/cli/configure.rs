//! `shoal configure`.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use crate::{
    configure::{self, ConfigureError, Plan, Request, Root},
    shell,
};

use super::{
    args::ConfigureArgs,
    exit::{CliError, Exit},
    print,
};

/// Shows what would be written, asks, and writes.
pub(super) fn configure(args: &ConfigureArgs) -> Result<(), CliError> {
    let root = Root::new(&args.root);
    let plan = plan(&root, args).map_err(before_writing)?;
    for note in &plan.notes {
        anstream::eprintln!("note: {note}");
    }
    print(&plan.diff())?;
    if plan.is_empty() {
        anstream::eprintln!("{}: nothing to change", args.runtime);
        return report_left(&plan);
    }
    if args.dry_run {
        anstream::eprintln!("{}: nothing was written (--dry-run)", args.runtime);
        return report_left(&plan);
    }
    if !args.yes {
        consent()?;
    }
    plan.apply(&root).map_err(|error| CliError::new(Exit::Failure, error))?;
    say_done(args, &plan);
    report_left(&plan)
}

fn plan(root: &Root, args: &ConfigureArgs) -> Result<Plan, ConfigureError> {
    if args.remove {
        return configure::plan_removal(root, args.runtime);
    }
    let request = Request {
        runtime: args.runtime,
        registries: args.registry.clone(),
        mirror: args.mirror.clone(),
        containerd_store: args.containerd_store,
    };
    configure::plan(root, &request)
}

fn before_writing(error: ConfigureError) -> CliError {
    match error {
        ConfigureError::Impossible(_) => CliError::new(Exit::Usage, error),
        _ => CliError::new(Exit::CouldNotRun, error),
    }
}

/// Another program's configuration is written only for someone who has seen the differences, or said `--yes`.
fn consent() -> Result<(), CliError> {
    if !io::stdin().is_terminal() {
        let words: Vec<String> = env::args().map(|word| shell::quoted(&word)).collect();
        let message =
            format!("nothing was written: there is no terminal to ask at; run `{} --yes`", words.join(" "));
        return Err(CliError::new(Exit::Usage, message));
    }
    anstream::eprint!("Write this? [y/N] ");
    // A question that can't be shown gets no answer either.
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    match read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        true => Ok(()),
        false => Err(CliError::new(Exit::Failure, "nothing was written, as the answer was not yes")),
    }
}

fn say_done(args: &ConfigureArgs, plan: &Plan) {
    let done = if args.remove { "no longer points at Shoal" } else { "points at Shoal" };
    match plan.command_after() {
        Some(command) => anstream::eprintln!("{} {done} after this: {command}", args.runtime),
        None => anstream::eprintln!("{} {done}; it needs no restart", args.runtime),
    }
}

/// Files that could not be undone are a failure, whatever else was done.
fn report_left(plan: &Plan) -> Result<(), CliError> {
    if plan.left.is_empty() {
        return Ok(());
    }
    let files: Vec<String> = plan.left.iter().map(|path| path.display().to_string()).collect();
    let message = format!(
        "left as it is: {}. Others changed the lines that Shoal wrote there; take the mirror's lines out by hand, then \
         run this again",
        files.join(", ")
    );
    Err(CliError::new(Exit::Failure, message))
}
