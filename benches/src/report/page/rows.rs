//! Figures without a number of nodes: cost, ratios and latency, a row for each case of each record.

use super::{
    chart::{Axis, Mark, MarkKind},
    dots::{DotChart, Row},
    labels::Label,
    markup::Element,
    palette::{Look, Palette},
    scale::Scale,
    tables::Table,
};
use crate::{
    record::Spread,
    report::{figure, load::Record, summary::Case, wording},
};

/// A figure that is shown in rows.
struct Shown {
    figure: &'static str,
    title: &'static str,
    says: &'static str,
    axis: &'static str,
}

const SHOWN: [Shown; 4] = [
    Shown {
        figure: "lane_over_tls",
        title: "Lanes beside plain TLS",
        says: "How fast one lane carries bytes, where 1 is a bare TLS copy of the same bytes in the same run.",
        axis: "rate ÷ rate of TLS",
    },
    Shown {
        figure: "hit_over_nginx",
        title: "Local hits beside nginx",
        says: "How fast a node serves what it has, where 1 is nginx with the same file in the same run.",
        axis: "rate ÷ rate of nginx",
    },
    Shown {
        figure: "cpu_s_per_gb",
        title: "Processor time",
        says: "Processor seconds of all processes for each GB delivered. Less is better.",
        axis: "CPU-seconds per GB",
    },
    Shown {
        figure: "rss_peak_mib",
        title: "Memory",
        says: "Peak memory while the blob was delivered. Less is better.",
        axis: "MiB",
    },
];

/// The ends of a latency's two names, and its unit in milliseconds.
const LATENCIES: [(&str, &str, f64); 2] = [("_p50_ms", "_p99_ms", 1.0), ("_median_us", "_p99_us", 1e-3)];

/// A plot for each figure that some record has.
pub(super) fn plots(records: &[Record], labels: &[Label], palette: &Palette) -> Vec<Element> {
    SHOWN.iter().filter_map(|shown| plot(shown, records, labels, palette)).collect()
}

fn plot(shown: &Shown, records: &[Record], labels: &[Label], palette: &Palette) -> Option<Element> {
    let known = figure::known_as(shown.figure);
    let mut rows = Vec::new();
    for (record, label) in records.iter().zip(labels) {
        for case in record.cases() {
            rows.extend(case.figures.get(shown.figure).map(|spread| Row {
                name: format!("{} · {}", wording::plain(case.name), label.full),
                value: wording::value(spread.median),
                dots: vec![(palette.look(case.name), *spread)],
            }));
        }
    }
    if rows.is_empty() {
        return None;
    }
    let aim = known.and_then(|known| Some((known.target?, known.aim()?)));
    let marks: Vec<Mark> = aim
        .map(|(at, aim)| Mark { at, label: format!("aim {aim}"), kind: MarkKind::Aim })
        .into_iter()
        .collect();
    // Some room beyond an aim, so that what goes beyond it could be seen.
    let values = values_of(&rows).chain(marks.iter().map(|mark| mark.at * 1.1));
    let chart = DotChart {
        title: shown.title.into(),
        says: shown.says.into(),
        axis: Axis { label: shown.axis, scale: Scale::from_zero(values) },
        marks,
        legend: Vec::new(),
        table: table(&rows),
        rows,
    };
    Some(chart.draw())
}

/// A plot of the latencies of a record; `None` where it has none.
pub(super) fn latency(record: &Record, label: &str) -> Option<Element> {
    let rows: Vec<Row> = record.cases().iter().flat_map(latencies_of).collect();
    if rows.is_empty() {
        return None;
    }
    let (half, most) = (Look::nth(0), Look::nth(2));
    let chart = DotChart {
        title: format!("Latency: {label}"),
        says:
            "How long answers take: the median one, and the one that 99 of 100 do not exceed. Less is better."
                .into(),
        axis: Axis { label: "ms", scale: Scale::of(values_of(&rows)) },
        marks: Vec::new(),
        legend: vec![half.legend("p50"), most.legend("p99")],
        table: latency_table(&rows),
        rows,
    };
    Some(chart.draw())
}

fn latencies_of(case: &Case<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, p99) in &case.figures {
        let known = LATENCIES.iter().find_map(|(half, most, ms)| Some((name.strip_suffix(most)?, half, ms)));
        let Some((what, half, ms)) = known else { continue };
        let p50 = case.figures.get(format!("{what}{half}").as_str());
        let dots = [p50.map(|p50| (Look::nth(0), in_ms(p50, *ms))), Some((Look::nth(2), in_ms(p99, *ms)))];
        let dots: Vec<_> = dots.into_iter().flatten().collect();
        let values: Vec<String> = dots.iter().map(|(_, spread)| wording::value(spread.median)).collect();
        rows.push(Row {
            name: format!("{} · {}", wording::plain(what), wording::plain(case.name)),
            value: format!("{} ms", values.join(" / ")),
            dots,
        });
    }
    rows
}

fn in_ms(spread: &Spread, ms: f64) -> Spread {
    Spread { median: spread.median * ms, low: spread.low * ms, high: spread.high * ms, runs: spread.runs }
}

fn values_of(rows: &[Row]) -> impl Iterator<Item = f64> {
    rows.iter().flat_map(|row| row.dots.iter().flat_map(|(_, spread)| [spread.low, spread.high]))
}

fn table(rows: &[Row]) -> Table {
    let rows = rows.iter().flat_map(|row| {
        row.dots.iter().map(|(_, spread)| {
            let runs = spread.runs.to_string();
            vec![row.name.clone(), wording::value(spread.median), wording::interval(spread), runs]
        })
    });
    Table::of(&["case", "median", "95 % interval", "runs"], 1, rows)
}

fn latency_table(rows: &[Row]) -> Table {
    let rows = rows.iter().map(|row| {
        let (half, most) = match row.dots.as_slice() {
            [(_, half), (_, most)] => (Some(half), Some(most)),
            [(_, most)] => (None, Some(most)),
            _ => (None, None),
        };
        let cell =
            |spread: Option<&Spread>| spread.map_or("–".into(), |spread| wording::value(spread.median));
        let interval = |spread: Option<&Spread>| spread.map_or("–".into(), wording::interval);
        vec![row.name.clone(), cell(half), interval(half), cell(most), interval(most)]
    });
    Table::of(&["answer", "p50 in ms", "95 % interval", "p99 in ms", "95 % interval"], 1, rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        record::Run,
        report::{page::labels, testing},
    };

    fn written(element: &Element) -> String {
        let mut out = String::new();
        element.write(&mut out);
        out
    }

    #[test]
    fn a_ratio_is_drawn_with_its_aim() {
        let record =
            testing::record("loopback", json!({}), testing::runs("lane", "lane_over_tls", &[0.9, 0.7]));
        let records = [record];
        let plots = plots(&records, &labels::of(&records), &Palette::default());
        assert_eq!(plots.len(), 1);
        let text = written(&plots[0]);
        for part in ["aim ≥ 0.8", "class=\"value\">0.8000<", "lane · loopback"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn latencies_of_one_answer_share_a_row_and_a_unit() {
        let run = Run::new("hit", 1).with("manifest_p50_ms", 0.5).with("manifest_p99_ms", 2.0);
        let run = run.with("small_median_us", 300.0).with("small_p99_us", 900.0).with("blob_p99_ms", 7.0);
        let record = testing::record("latency", json!({}), vec![run]);
        let rows: Vec<Row> = record.cases().iter().flat_map(latencies_of).collect();
        let rows: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.value.as_str())).collect();
        let expected = [
            ("blob · hit", "7 ms"),
            ("manifest · hit", "0.5000 / 2 ms"),
            ("small · hit", "0.3000 / 0.9000 ms"),
        ];
        assert_eq!(rows, expected);
        assert!(latency(&record, "latency").is_some());
        assert!(latency(&testing::record("sim", json!({}), vec![]), "sim").is_none());
    }
}
