//! What Markdown, pages and terminals say alike. Everything that leaves this module is one line of visible text.

use serde_json::Value;

use super::load::Record;
use crate::record::{Begin, Machine, Spread, number};

/// Longer strings are cut: a page stays readable whatever a record holds.
const TEXT_MAX_CHARS: usize = 400;
/// More rows say less.
const SETUP_MAX_ROWS: usize = 60;
const SETUP_MAX_DEPTH: usize = 4;
const NOTES_MAX: usize = 40;
const SEEDS_MAX: usize = 24;
/// Shorter numbers are read at a glance.
const GROUPED_MIN_DIGITS: usize = 5;
/// With fewer runs there is no interval of 95 %, see [`Spread`].
const INTERVAL_MIN_RUNS: usize = 6;

/// Choices of how often something is measured, which don't change what is measured.
pub(super) const REPEATS: [&str; 2] = ["runs", "seeds"];

/// Stands where a table has intervals of fewer runs.
pub(super) const FEW_RUNS_REMARK: &str =
    "* fewer than six runs: the smallest and the largest instead of an interval";

/// Without what a terminal or a browser would obey: control characters and those that turn the direction of text.
pub(super) fn plain(text: &str) -> String {
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let visible = |c: char| match c {
        '\n' | '\t' => ' ',
        c if obeyed(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    clipped(text.chars().map(visible), TEXT_MAX_CHARS)
}

/// At most this many characters, the last one a sign that there were more.
pub(super) fn clipped(text: impl Iterator<Item = char>, max_chars: usize) -> String {
    let mut text: Vec<char> = text.take(max_chars + 1).collect();
    if text.len() > max_chars {
        text.truncate(max_chars - 1);
        text.push('…');
    }
    text.into_iter().collect()
}

/// What a record is called.
pub(super) fn title(record: &Record) -> String {
    plain(&format!("{}, {}", record.begin.bench, time(&record.begin.at)))
}

/// A time in full seconds; anything else as it is.
pub(super) fn time(at: &str) -> String {
    let time = at.parse::<jiff::Timestamp>();
    time.map_or_else(|_| plain(at), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Where, when and with what it was measured.
pub(super) fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let excluded = record.runs.len() - record.counted_runs();
    let runs = match excluded {
        0 => record.runs.len().to_string(),
        _ => format!("{}, of which {excluded} don't count", record.runs.len()),
    };
    let mut facts = vec![
        ("record", plain(&record.path.display().to_string())),
        ("measured", time(&record.begin.at)),
        ("version", plain(&record.begin.version)),
        ("machine", machine(&record.begin.machine)),
        ("runs", runs),
    ];
    facts.extend(seeds(record).map(|seeds| ("seeds", seeds)));
    facts
}

/// The machine in a line.
pub(super) fn machine(machine: &Machine) -> String {
    let Machine { processor, cores, memory_mib, kernel } = machine;
    let processor = if processor.is_empty() { "processor unknown" } else { processor };
    plain(&format!("{processor}, {cores} cores, {memory_mib} MiB, Linux {kernel}"))
}

/// The notes of all runs, and what the record itself is short of.
pub(super) fn notes(record: &Record) -> Vec<String> {
    let of_runs = record.runs.iter().flat_map(|run| {
        let counts = if run.excluded { " (does not count)" } else { "" };
        run.notes.iter().map(move |note| plain(&format!("{} #{}{counts}: {note}", run.case, run.run)))
    });
    let mut notes: Vec<String> = of_runs.collect();
    if notes.len() > NOTES_MAX {
        let more = notes.len() - NOTES_MAX;
        notes.truncate(NOTES_MAX);
        notes.push(format!("{more} more notes are in the record"));
    }
    if record.main_case.is_none() {
        notes.insert(0, "The record has no last line: the measurement was cut short.".into());
    }
    notes
}

/// What was chosen, a row for each leaf of the setup.
pub(super) fn setup(setup: &Value) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    collect("", setup, SETUP_MAX_DEPTH, &mut rows);
    rows
}

fn collect(name: &str, value: &Value, depth: usize, rows: &mut Vec<(String, String)>) {
    if rows.len() >= SETUP_MAX_ROWS {
        return;
    }
    match value {
        Value::Object(keys) if depth > 0 && seconds(value).is_none() => {
            for (key, value) in keys {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                collect(&name, value, depth - 1, rows);
            }
        }
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        _ => rows.push((plain(name), leaf(name, value))),
    }
}

fn leaf(name: &str, value: &Value) -> String {
    if let Some(seconds) = seconds(value) {
        return if seconds < 1.0 { format!("{} ms", seconds * 1e3) } else { format!("{seconds} s") };
    }
    let last = name.rsplit(['.', '_']).next().unwrap_or(name);
    match (value, value.as_u64(), last) {
        (_, Some(bytes_per_s), "rate") => rate(bytes_per_s),
        (_, Some(bytes), "blob" | "bytes" | "piece") => size(bytes),
        (Value::String(text), _, _) => plain(text),
        _ => plain(&value.to_string()),
    }
}

/// The form in which serde keeps a `Duration`.
fn seconds(value: &Value) -> Option<f64> {
    let keys = value.as_object().filter(|keys| keys.len() == 2)?;
    let (seconds, nanos) = (keys.get("secs")?.as_u64()?, keys.get("nanos")?.as_u64()?);
    Some((seconds as f64 * 1e9 + nanos as f64) / 1e9)
}

fn rate(bytes_per_s: u64) -> String {
    let bits_per_s = bytes_per_s as f64 * 8.0;
    let units = [(1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")];
    let (factor, unit) =
        units.into_iter().find(|(factor, _)| bits_per_s >= *factor).unwrap_or((1.0, "bit/s"));
    format!("{} {unit}", trimmed(bits_per_s / factor))
}

fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let exact = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    exact.map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}

/// A figure's value: [`number`] with its thousands apart.
pub(super) fn value(value: f64) -> String {
    let text = number(value);
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    if whole.len() < GROUPED_MIN_DIGITS || !whole.bytes().all(|digit| digit.is_ascii_digit()) {
        return text;
    }
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

/// Like [`number`], without zeros at the end that say nothing.
pub(super) fn trimmed(value: f64) -> String {
    let text = number(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// `[low … high]`, marked where it is no interval of 95 %; a dash for a single run.
pub(super) fn interval(spread: &Spread) -> String {
    let mark = if spread.runs < INTERVAL_MIN_RUNS { " *" } else { "" };
    match spread.runs {
        1 => "–".into(),
        _ => format!("{} … {}{mark}", value(spread.low), value(spread.high)),
    }
}

/// Whether [`FEW_RUNS_REMARK`] has to stand below a table with this record's intervals.
pub(super) fn has_few_runs(record: &Record) -> bool {
    let cases = record.cases();
    let mut spreads = cases.iter().flat_map(|case| case.figures.values());
    spreads.any(|spread| (2..INTERVAL_MIN_RUNS).contains(&spread.runs))
}

/// The random seeds of all runs, each once.
fn seeds(record: &Record) -> Option<String> {
    let mut seeds: Vec<u64> = record.runs.iter().filter_map(|run| run.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let more = seeds.len().saturating_sub(SEEDS_MAX);
    let shown: Vec<String> = seeds.iter().take(SEEDS_MAX).map(u64::to_string).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

/// The line that measures the same again; `None` where the record does not tell it.
pub(super) fn command(begin: &Begin) -> Option<String> {
    let odd = |word: &String| *word != plain(word);
    if begin.arguments.is_empty() || begin.arguments.iter().any(odd) {
        return None;
    }
    let mut line = String::from("shoal-bench");
    let mut words = begin.arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => {}
            // The next word is the file that must not be written over.
            "--record" => drop(words.next()),
            word if word.starts_with("--record=") => {}
            word => line.push_str(&format!(" {}", quoted(word))),
        }
    }
    Some(line)
}

/// A word as a shell takes it for itself.
fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_=./:,%@+".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::{
        record::Run,
        units::{Bytes, Delay, Rate},
    };

    #[test]
    fn a_setup_is_shown_in_the_units_of_the_command_line() {
        let value = json!({
            "rate": "100mbit".parse::<Rate>().unwrap(),
            "origin_rate": "1gbit".parse::<Rate>().unwrap(),
            "blob": "128MiB".parse::<Bytes>().unwrap(),
            "delay": "0.2ms".parse::<Delay>().unwrap(),
            "start": "cold",
            "faults": { "crash": 0.1, "none": null },
        });
        let rows = setup(&value);
        let rows: Vec<_> = rows.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("blob", "128 MiB"),
            ("delay", "0.2 ms"),
            ("faults.crash", "0.1"),
            ("origin_rate", "1 Gbit/s"),
            ("rate", "100 Mbit/s"),
            ("start", "cold"),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_command_repeats_without_writing_over_the_record() {
        let mut record = testing::record("lab", json!({}), vec![]);
        let words = ["lab", "--record", "old.jsonl", "--json", "--target", "a b; rm '$x'", "--record=x"];
        record.begin.arguments = words.map(String::from).into();
        let expected = r"shoal-bench lab --target 'a b; rm '\''$x'\'''";
        assert_eq!(command(&record.begin).unwrap(), expected);
        record.begin.arguments.push("two\nlines".into());
        assert_eq!(command(&record.begin), None);
        record.begin.arguments.clear();
        assert_eq!(command(&record.begin), None);
    }

    #[test]
    fn only_enough_runs_give_an_interval() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).unwrap();
        assert_eq!(interval(&spread(&[1.5])), "–");
        assert_eq!(interval(&spread(&[1.0, 2.0])), "1 … 2 *");
        assert_eq!(interval(&spread(&[1.0; 10])), "1 … 1");
    }

    #[test]
    fn long_numbers_have_their_thousands_apart() {
        let texts = [1234.0, 12_345.0, 1_234_567_890.0, 1.5, -1e6, 98_765.4].map(value);
        let narrow = |text: &str| text.replace('_', "\u{202f}");
        assert_eq!(texts, ["1234", "12_345", "1_234_567_890", "1.500", "-1000000", "98_765"].map(narrow));
    }

    #[test]
    fn notes_tell_what_does_not_count_and_are_bounded() {
        let busy = Run::new("shoal", 2).without_counting("busy");
        let mut record = testing::record("lab", json!({}), vec![Run::new("shoal", 1), busy]);
        record.runs[0].seed = Some(7);
        assert_eq!(notes(&record), ["shoal #2 (does not count): busy"]);
        let facts = facts(&record);
        assert!(facts.contains(&("runs", "2, of which 1 don't count".into())), "{facts:?}");
        assert!(facts.contains(&("seeds", "7".into())), "{facts:?}");
        record.main_case = None;
        record.runs[0].notes = vec!["again".into(); 100];
        let notes = notes(&record);
        assert!(notes.len() == NOTES_MAX + 2 && notes[0].contains("cut short"), "{notes:?}");
    }

    #[test]
    fn nothing_that_is_obeyed_gets_through() {
        assert_eq!(plain("a\u{1b}[31m\nb\u{202e}"), "a\u{fffd}[31m b\u{fffd}");
        assert_eq!(plain(&"x".repeat(5000)).chars().count(), TEXT_MAX_CHARS);
    }
}
