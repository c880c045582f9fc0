//! The settings as flags. clap reads them; what they mean is checked where all layers are.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, error::Error};

use super::{
    settings::{Config, LIST_KEYS, Registry, SETTINGS, Signature},
    table::{Entry, Setting},
};

/// Flags that most first steps take: the only ones in the short help.
const COMMON: [&str; 5] = ["data_dir", "cluster_key_file", "zone", "mirror.listen", "swarm.bootstrap"];

/// What the command line says about settings, unread.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    values: Vec<(&'static str, String)>,
    /// Tables of lists, each with the list's key.
    entries: Vec<(&'static str, String)>,
}

impl Flags {
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| *known == key).map(|(_, text)| text.as_str())
    }

    pub(super) fn entries(&self, key: &str) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(move |(known, _)| *known == key).map(|(_, text)| text.as_str())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let defaults = Config::default();
        let settings = SETTINGS.iter().map(|setting| flag(setting, &defaults));
        command.args(settings).arg(entry_flag::<Registry>()).arg(entry_flag::<Signature>())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let given = SETTINGS
            .iter()
            .filter_map(|setting| Some((setting.key, matches.get_one::<String>(setting.key)?.clone())));
        self.values = given.collect();
        let entries = LIST_KEYS.iter().flat_map(|key| {
            let texts = matches.get_many::<String>(key).into_iter().flatten();
            texts.map(|text| (*key, text.clone()))
        });
        self.entries = entries.collect();
        Ok(())
    }
}

fn flag(setting: &'static Setting<Config>, defaults: &Config) -> Arg {
    let slot = (setting.slot)(defaults);
    let shown = slot.to_toml().map(|value| value.to_string().replace('"', ""));
    let default = shown.filter(|text| !matches!(text.as_str(), "" | "[]"));
    let default = default.map(|text| format!("[default: {text}] ")).unwrap_or_default();
    let help = setting.help();
    let help = help.trim_end_matches('.');
    Arg::new(setting.key)
        .long(setting.flag())
        .value_name(slot.placeholder())
        .action(ArgAction::Set)
        .hide_short_help(!COMMON.contains(&setting.key))
        .help(help.to_owned())
        .long_help(format!("{help}\n\n{default}[env: {}]", setting.variable()))
}

fn entry_flag<T: Entry>() -> Arg {
    let keys: Vec<&str> = T::SETTINGS.iter().map(|setting| setting.key).collect();
    let doc = T::DOC.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let (example, keys) = (T::EXAMPLE, keys.join(", "));
    Arg::new(T::KEY)
        .long(T::KEY)
        .value_name("KEY=VALUE …")
        .action(ArgAction::Append)
        .hide_short_help(true)
        .help(format!(
            "{doc} Written \"{example}\"; keys: {keys}\n\n[env: {}, with ';' between two]",
            T::variable()
        ))
}
