//! What a node is told, and from where: a flag wins over the environment, that over the file, that over the default.
//!
//! [`settings`] is the one definition of every option. Its name as flag and variable, its help, the parser of the
//! file, and what `shoal config` prints all follow from it, so a new option is one new line there.

mod file;
mod flags;
mod layers;
mod parts;
mod problem;
mod settings;
mod show;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use flags::Flags;
pub use layers::{DEFAULT_FILE, Effective, Inputs, Origin, examine, load};
pub use parts::WELL_KNOWN;
pub(crate) use problem::without_login;
pub use problem::{ConfigError, Place, Problem};
pub use settings::{Admin, Config, Lane, Log, Mirror, Registry, Seed, Shutdown, Signature, Swarm};
pub use show::show;
pub use types::{HostPort, InputFile, LogFilter, LogFormat, Zone};
pub(crate) use value::time;
