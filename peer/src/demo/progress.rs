//! How the pulls go, on standard error: live bars on a terminal, a line for each step elsewhere.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::pull::Watch;

const BAR: &str = "{prefix:<8} {bar:32} {bytes:>11} of {total_bytes:<11} {binary_bytes_per_sec:>14}  {msg}";

/// The display.
pub struct Progress {
    bars: Option<MultiProgress>,
}

/// The part of the display that one pull has.
pub(super) struct PullProgress {
    name: String,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Bars where standard error is a terminal that can redraw lines.
    pub fn new() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let can_redraw = io::stderr().is_terminal() && !is_dumb;
        let bars = || MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { bars: can_redraw.then(bars) }
    }

    /// Says what happens now.
    pub fn say(&self, text: &str) {
        match &self.bars {
            // A failure to draw is no reason to stop.
            Some(bars) => drop(bars.println(text)),
            None => anstream::eprintln!("{text}"),
        }
    }

    /// Begins to show the pull that is called `name`.
    pub(super) fn begin(&self, name: String) -> PullProgress {
        let bar = self.bars.as_ref().map(|bars| bars.add(bar(&name)));
        PullProgress { name, bar }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl PullProgress {
    /// Shows how the pull ended, and after how long.
    pub(super) fn end(&self, outcome: &str, elapsed: Duration) {
        let text = format!("{outcome} after {:.1} s", elapsed.as_secs_f64());
        match &self.bar {
            Some(bar) => bar.abandon_with_message(text),
            None => anstream::eprintln!("{}: {text}", self.name),
        }
    }
}

impl Watch for PullProgress {
    fn total(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(bytes);
        }
    }

    fn advanced(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }
}

fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("━╸ ")).with_prefix(name.to_owned())
}
