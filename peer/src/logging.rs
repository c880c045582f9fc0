//! Log lines on standard error, for people or as JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat};

/// Makes this process log as `config` says. Where logging is set up already, that stays.
pub fn start(config: &Log) {
    // The text was checked when it was read.
    let filter: Targets =
        config.level.as_str().parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_writer(io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match config.format {
        LogFormat::Human => lines.with_ansi(wants_colour()).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    // An error means that the one who embeds the node logs already.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// True when standard error is a terminal that shows colours, and nobody asked for none.
pub(crate) fn wants_colour() -> bool {
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    io::stderr().is_terminal() && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}
