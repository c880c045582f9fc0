//! The layers of the configuration, each over the one before: default, file, environment, flags.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::{
    file::{self, nearest},
    flags::Flags,
    problem::{ConfigError, Place, Problem, without_login},
    settings::{Config, Registry, SETTINGS, Signature},
    table::{Entry, Setting},
    value::Slot,
};

/// The file that is read, where there is one, when none is named.
pub const DEFAULT_FILE: &str = "/etc/shoal/shoal.toml";
/// The variable that names the file: no setting, but a known variable.
const FILE_VARIABLE: &str = "SHOAL_CONFIG";

/// What a configuration is made from.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The file, when one is named.
    pub file: Option<PathBuf>,
    /// Name and value of the environment's variables.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Flags,
}

/// A configuration, and where each part of it comes from.
#[derive(Clone, Debug)]
pub struct Effective {
    /// All but what stands in lists.
    pub(super) node: Filled<Config>,
    /// The registries.
    pub(super) registries: Vec<Filled<Registry>>,
    /// The policies for signatures.
    pub(super) signatures: Vec<Filled<Signature>>,
}

/// Where a value comes from; `None` is the default.
pub type Origin = Option<Place>;

/// Values with the places that they come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled<T> {
    pub(super) value: T,
    /// Where the whole of it comes from.
    pub(super) place: Origin,
    /// Where the values of single keys come from, unless they are defaults.
    pub(super) places: BTreeMap<&'static str, Place>,
}

impl Inputs {
    /// The inputs of this process: its own environment under what its command line says.
    pub fn of_process(file: Option<PathBuf>, flags: Flags) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let default_file = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        Self { file: file.or_else(default_file), environment, flags }
    }
}

/// Makes the configuration, or says all that is wrong with it.
pub fn load(inputs: &Inputs) -> Result<Effective, ConfigError> {
    let (effective, mut problems) = examine(inputs);
    problems.extend(effective.check());
    if problems.is_empty() { Ok(effective) } else { Err(ConfigError { problems }) }
}

/// Reads as [`load`] does and goes on past mistakes: what can't be understood stays as it was. Whether the files that
/// are named exist is not looked at.
pub fn examine(inputs: &Inputs) -> (Effective, Vec<Problem>) {
    let mut effective = Effective::of_defaults();
    let mut problems = Vec::new();
    if let Some(path) = &inputs.file {
        problems.extend(read_file(&mut effective, path));
    }
    for (variable, text) in &inputs.environment {
        problems.extend(read_variable(&mut effective, variable, text));
    }
    problems.extend(read_flags(&mut effective, &inputs.flags));
    problems.extend(effective.aimless());
    (effective, problems)
}

impl Effective {
    fn of_defaults() -> Self {
        let node = Filled::<Config>::default();
        let registry = |value: &Registry| Filled { value: value.clone(), ..Filled::default() };
        let registries = node.value.registry.iter().map(registry).collect();
        Self { node, registries, signatures: Vec::new() }
    }

    /// The configuration itself.
    pub fn config(&self) -> Config {
        let registry = self.registries.iter().map(|entry| entry.value.clone()).collect();
        let signature = self.signatures.iter().map(|entry| entry.value.clone()).collect();
        Config { registry, signature, ..self.node.value.clone() }
    }

    /// Where the value of `key` comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.node.places.get(key).cloned()
    }

    /// Whether somebody said which registries there are.
    pub fn names_registries(&self) -> bool {
        self.registries.iter().any(|entry| entry.place.is_some())
    }

    /// What is named and not there.
    fn check(&self) -> Vec<Problem> {
        let registries = self.registries.iter().flat_map(|entry| entry.check(Registry::SETTINGS));
        let signatures = self.signatures.iter().flat_map(|entry| entry.check(Signature::SETTINGS));
        self.node.check(SETTINGS).into_iter().chain(registries).chain(signatures).collect()
    }

    /// Sections that do not say what they are about.
    fn aimless(&self) -> impl Iterator<Item = Problem> {
        let nameless = self.registries.iter().filter_map(Filled::<Registry>::nameless);
        nameless.chain(self.signatures.iter().filter_map(Filled::<Signature>::imageless))
    }
}

impl Filled<Registry> {
    fn nameless(&self) -> Option<Problem> {
        self.value.host.is_none().then(|| Problem {
            place: self.place.clone(),
            what: format!("this {} has no `host`", Registry::KEY),
            help: "expected host = \"…\", such as docker.io or registry.example:5000".into(),
        })
    }
}

impl Filled<Signature> {
    fn imageless(&self) -> Option<Problem> {
        self.value.images.is_empty().then(|| Problem {
            place: self.place.clone(),
            what: format!("this {} has no `images`", Signature::KEY),
            help: "expected images = [\"…\"], such as ghcr.io/team, or * for all".into(),
        })
    }
}

impl<T> Filled<T> {
    /// Sets one value; false when `write` could not make one of what it was given.
    pub(super) fn set(
        &mut self,
        setting: &Setting<T>,
        place: Place,
        write: impl FnOnce(&mut dyn Slot) -> bool,
    ) -> bool {
        let is_set = write((setting.slot_mut)(&mut self.value));
        if is_set {
            self.places.insert(setting.key, place);
        }
        is_set
    }

    fn set_text(&mut self, setting: &Setting<T>, place: Place, text: &str) -> Option<Problem> {
        let is_set = self.set(setting, place.clone(), |slot| slot.set_text(text));
        let expected = (setting.slot)(&self.value).expected();
        (!is_set).then(|| Problem {
            place: Some(place),
            what: format!("{:?} is not what `{}` can be", without_login(text), setting.key),
            help: format!("expected {expected}"),
        })
    }

    fn check(&self, settings: &[Setting<T>]) -> Vec<Problem> {
        let problem = |setting: &Setting<T>| {
            let what = (setting.slot)(&self.value).check().err()?;
            let place = self.places.get(setting.key).cloned();
            let help = format!("`{}` is the path of a file that exists", setting.key);
            Some(Problem { place, what, help })
        };
        settings.iter().filter_map(problem).collect()
    }
}

fn read_file(effective: &mut Effective, path: &Path) -> Vec<Problem> {
    match std::fs::read_to_string(path) {
        Ok(content) => file::read(effective, path, &content),
        Err(error) => {
            let help = match error.kind() {
                io::ErrorKind::NotFound => "expected the file of --config or SHOAL_CONFIG to exist",
                io::ErrorKind::InvalidData => "expected TOML in UTF-8",
                _ => "expected a file that this user may read",
            };
            let what = format!("can't read the configuration {}: {error}", path.display());
            vec![Problem { place: None, what, help: help.into() }]
        }
    }
}

/// An unknown variable is a problem only when it looks like a known one: Kubernetes makes variables of the names of
/// services, and one of them may well be called `shoal`.
fn read_variable(effective: &mut Effective, variable: &str, text: &str) -> Vec<Problem> {
    let place = Place::Environment(variable.into());
    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    if variable == Registry::variable() {
        return read_list(&mut effective.registries, &place, entries);
    }
    if variable == Signature::variable() {
        return read_list(&mut effective.signatures, &place, entries);
    }
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == variable) {
        return effective.node.set_text(setting, place, text).into_iter().collect();
    }
    if !variable.starts_with("SHOAL_") || variable == FILE_VARIABLE {
        return Vec::new();
    }
    let known: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    let near = nearest(variable, known.iter().map(String::as_str));
    let problem = |near| Problem {
        place: Some(place),
        what: "unknown variable".into(),
        help: format!("did you mean {near}?"),
    };
    near.map(problem).into_iter().collect()
}

fn read_flags(effective: &mut Effective, flags: &Flags) -> Vec<Problem> {
    let mut problems = Vec::new();
    for setting in SETTINGS {
        if let Some(text) = flags.value(setting.key) {
            let place = Place::Flag(format!("--{}", setting.flag()));
            problems.extend(effective.node.set_text(setting, place, text));
        }
    }
    problems.extend(read_list_flag(&mut effective.registries, flags));
    problems.extend(read_list_flag(&mut effective.signatures, flags));
    problems
}

fn read_list_flag<T: Entry>(list: &mut Vec<Filled<T>>, flags: &Flags) -> Vec<Problem> {
    let mut entries = flags.entries(T::KEY).peekable();
    if entries.peek().is_none() {
        return Vec::new();
    }
    read_list(list, &Place::Flag(format!("--{}", T::KEY)), entries)
}

/// Entries as text, each like `host=ghcr.io endpoints=https://one,https://two`.
fn read_list<'a, T: Entry>(
    list: &mut Vec<Filled<T>>,
    place: &Place,
    entries: impl Iterator<Item = &'a str>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    list.clear();
    for text in entries {
        let mut entry = Filled { place: Some(place.clone()), ..Filled::default() };
        for pair in text.split_whitespace() {
            problems.extend(read_pair(&mut entry, place, pair));
        }
        list.push(entry);
    }
    problems
}

fn read_pair<T: Entry>(entry: &mut Filled<T>, place: &Place, pair: &str) -> Option<Problem> {
    let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
    if let Some(setting) = T::SETTINGS.iter().find(|setting| setting.key == key) {
        return entry.set_text(setting, place.clone(), text);
    }
    let known: Vec<&str> = T::SETTINGS.iter().map(|setting| setting.key).collect();
    let help = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected key=value pairs between spaces, the keys out of {}", known.join(", ")),
    };
    Some(Problem { place: Some(place.clone()), what: format!("unknown key `{key}`"), help })
}
