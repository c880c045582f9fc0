//! Reading the file: each key is looked up in the table of settings, and nothing is passed over in silence.

use std::{collections::BTreeSet, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    layers::{Effective, Filled},
    problem::{Place, Problem, Spot, without_login},
    settings::{LIST_KEYS, Registry, SETTINGS, Signature},
    table::{Entry, Setting},
};

/// Takes over what the file at `path` says; its text is `content`.
pub(super) fn read(effective: &mut Effective, path: &Path, content: &str) -> Vec<Problem> {
    let mut reader = Reader { path, content, problems: Vec::new() };
    match DeTable::parse(content) {
        Ok(root) => reader.root(effective, root.get_ref()),
        Err(error) => {
            let span = error.span().unwrap_or_default();
            reader.report(&span, format!("not TOML: {}", error.message()), String::new());
        }
    }
    reader.problems
}

struct Reader<'a> {
    path: &'a Path,
    content: &'a str,
    problems: Vec<Problem>,
}

/// A key with its place in the file.
type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

impl Reader<'_> {
    fn root(&mut self, effective: &mut Effective, root: &DeTable<'_>) {
        for (key, value) in in_order(root) {
            match key.get_ref().as_ref() {
                Registry::KEY => self.list(&mut effective.registries, value),
                Signature::KEY => self.list(&mut effective.signatures, value),
                section if sections().contains(section) => match value.get_ref().as_table() {
                    Some(table) => self.table(&mut effective.node, SETTINGS, section, table),
                    None => self.wrong_type(key, value, &format!("a table: [{section}]")),
                },
                _ => self.key(&mut effective.node, SETTINGS, "", (key, value)),
            }
        }
    }

    fn list<T: Entry>(&mut self, list: &mut Vec<Filled<T>>, value: &Spanned<DeValue<'_>>) {
        list.clear();
        let entries = value.get_ref().as_array();
        let is_table = |entry: &Spanned<DeValue<'_>>| entry.get_ref().is_table();
        let Some(entries) = entries.filter(|entries| entries.iter().all(is_table)) else {
            let help = format!("expected tables, each under its own [[{}]]", T::KEY);
            return self.report(&value.span(), format!("`{}` is not a list of tables", T::KEY), help);
        };
        for (span, table) in
            entries.iter().filter_map(|entry| Some((entry.span(), entry.get_ref().as_table()?)))
        {
            let mut entry = Filled { place: Some(self.place(&span)), ..Filled::default() };
            self.table(&mut entry, T::SETTINGS, "", table);
            list.push(entry);
        }
    }

    fn table<T>(
        &mut self,
        target: &mut Filled<T>,
        settings: &'static [Setting<T>],
        section: &str,
        table: &DeTable<'_>,
    ) {
        in_order(table).into_iter().for_each(|pair| self.key(target, settings, section, pair));
    }

    fn key<T>(
        &mut self,
        target: &mut Filled<T>,
        settings: &'static [Setting<T>],
        section: &str,
        (key, value): (&Key<'_>, &Spanned<DeValue<'_>>),
    ) {
        let is_it = |setting: &&Setting<T>| setting.section_and_name() == (section, key.get_ref());
        let Some(setting) = settings.iter().find(is_it) else {
            return self.unknown(key, section, settings);
        };
        let place = self.place(&value.span());
        if !target.set(setting, place, |slot| slot.set_toml(value.get_ref())) {
            self.wrong_type(key, value, &(setting.slot)(&target.value).expected());
        }
    }

    fn unknown<T>(&mut self, key: &Key<'_>, section: &str, settings: &'static [Setting<T>]) {
        let name = key.get_ref().as_ref();
        let inside = match section {
            "" => String::new(),
            section => format!(" in [{section}]"),
        };
        let help = advice(name, section, settings);
        self.report(&key.span(), format!("unknown key `{name}`{inside}"), help);
    }

    fn wrong_type(&mut self, key: &Key<'_>, value: &Spanned<DeValue<'_>>, expected: &str) {
        const MAX_CHARS: usize = 60;
        let found: String = match value.get_ref() {
            DeValue::Table(_) => "a table".into(),
            _ => {
                let written = without_login(self.content.get(value.span()).unwrap_or_default());
                written.chars().take(MAX_CHARS).collect()
            }
        };
        let what = format!("`{}` is {found}", key.get_ref());
        self.report(&value.span(), what, format!("expected {expected}"));
    }

    fn report(&mut self, span: &Range<usize>, what: String, help: String) {
        self.problems.push(Problem { place: Some(self.place(span)), what, help });
    }

    fn place(&self, span: &Range<usize>) -> Place {
        Place::File(Spot::new(self.path, self.content, span))
    }
}

/// The pairs of a table as they stand in the file, so that problems are told from top to bottom.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Key<'i>, &'a Spanned<DeValue<'i>>)> {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    pairs
}

fn sections() -> BTreeSet<&'static str> {
    SETTINGS
        .iter()
        .map(|setting| setting.section_and_name().0)
        .filter(|section| !section.is_empty())
        .collect()
}

/// The nearest known key; else where the key is at home; else all that could stand there.
fn advice<T>(name: &str, section: &str, settings: &'static [Setting<T>]) -> String {
    let names = settings.iter().map(Setting::section_and_name);
    let mut known: Vec<&str> = names.filter(|(home, _)| *home == section).map(|(_, name)| name).collect();
    let is_root = settings.iter().any(|setting| setting.key.contains('.')) && section.is_empty();
    if is_root {
        known.extend(sections());
        known.extend(LIST_KEYS);
    }
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    match settings.iter().find(|setting| setting.section_and_name().1 == name) {
        Some(setting) => format!("did you mean `{}`?", setting.key),
        None => format!("expected one of {}", known.join(", ")),
    }
}

/// The candidate that a slip of the keyboard could have turned into `name`.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}
