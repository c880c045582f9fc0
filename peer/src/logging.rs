//! Log lines on standard error, for people or as JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat};

/// Makes this process log as `config` says. Where logging is set up already, that stays.
pub fn start(config: &Log) {
    let lines = lines(config, io::stderr, wants_colour());
    // An error means that whoever embeds the node logs already.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

fn lines<W>(config: &Log, writer: W, is_coloured: bool) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // The text was checked when it was read.
    let filter: Targets =
        config.level.as_str().parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_writer(writer);
    match config.format {
        LogFormat::Human => lines.with_ansi(is_coloured).with_filter(filter).boxed(),
        LogFormat::Json => lines.with_ansi(false).json().flatten_event(true).with_filter(filter).boxed(),
    }
}

/// True when standard error is a terminal that shows colours, and nobody asked for none.
fn wants_colour() -> bool {
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    io::stderr().is_terminal() && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str, is_coloured: bool) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let config = Log { format, level: level.parse().unwrap() };
        let lines = lines(&config, move || writer.clone(), is_coloured);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::info!(blob = "sha256:12", "fetched");
            tracing::debug!("a detail");
        });
        String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_with_its_fields() {
        let text = logged(LogFormat::Json, "info", true);
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["blob"]),
            (&"INFO".into(), &"fetched".into(), &"sha256:12".into())
        );
    }

    #[test]
    fn colours_come_only_when_wanted() {
        assert!(!logged(LogFormat::Human, "info", false).contains('\u{1b}'));
        assert!(logged(LogFormat::Human, "info", true).contains('\u{1b}'));
    }

    #[test]
    fn levels_can_differ_between_parts() {
        assert!(!logged(LogFormat::Human, "info", false).contains("a detail"));
        assert!(logged(LogFormat::Human, "error,shoal_peer=debug", false).contains("a detail"));
        assert!(logged(LogFormat::Human, "error", false).is_empty());
    }
}
