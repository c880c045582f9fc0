//! `shoal demo`.

use crate::{
    config::{Log, LogFilter, LogFormat},
    demo::{Demo, Progress, Report, Subject},
    logging,
};

use super::{
    args::DemoArgs,
    exit::{CliError, Exit},
    print, runtime,
    signals::StopSignals,
};

/// Plays the demo, prints its result, and fails when a pull failed.
pub(super) fn demo(args: &DemoArgs) -> Result<(), CliError> {
    let subject = match &args.image {
        None => Subject::Made {
            size_bytes: args.size.as_u64(),
            rate_bytes_per_s: args.origin_rate.map(|rate| rate.as_u64()),
        },
        Some(text) => Subject::Real(text.parse().map_err(|error| CliError::new(Exit::Usage, error))?),
    };
    logging::start(&Log { format: LogFormat::Human, level: LogFilter::quiet() });
    runtime()?.block_on(play(args, &subject))
}

async fn play(args: &DemoArgs, subject: &Subject) -> Result<(), CliError> {
    let progress = Progress::new();
    let mut signals = StopSignals::listen()?;
    let (demo, report) = tokio::select! {
        outcome = start_and_pull(args.peers, subject, &progress) => outcome?,
        () = signals.next() => return Err(CliError::new(Exit::Failure, "the demo was interrupted")),
    };
    print(&if args.json { report.to_json() } else { report.to_text(args.keep) })?;
    if args.keep {
        progress.say("Everything is still running; Ctrl-C stops it.");
        signals.next().await;
    }
    demo.stop().await;
    match report.is_success() {
        true => Ok(()),
        false => {
            Err(CliError::new(Exit::Failure, "not every peer pulled the image: the table says what each met"))
        }
    }
}

async fn start_and_pull(
    peers: u16,
    subject: &Subject,
    progress: &Progress,
) -> Result<(Demo, Report), CliError> {
    let demo = Demo::start(subject, peers, progress).await;
    let demo = demo.map_err(|error| CliError::new(Exit::CouldNotRun, error))?;
    let report = demo.pull(progress).await;
    Ok((demo, report))
}
