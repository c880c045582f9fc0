//! Reading logins from files and from the environment.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use tokio::io::AsyncReadExt as _;

use super::docker_config::{DockerConfig, FormatError};
use crate::config::DockerConfigPlace;

/// Longest file of logins that is read; large lists have some tens of KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The list that counts where a registry's configuration names no login.
const OWN_VARIABLE: &str = "SHOAL_DOCKER_AUTH_CONFIG";
/// The list that Docker itself takes from its environment.
const DOCKER_VARIABLE: &str = "DOCKER_AUTH_CONFIG";
/// What a folder with a list of logins has in it: Docker's own, and how pull secrets are mounted.
const NAMES: [&str; 3] = ["config.json", ".dockerconfigjson", ".dockercfg"];

/// Why a place gave no login. Says nothing of the content.
#[derive(Debug, thiserror::Error)]
pub(in crate::origin) enum FileError {
    #[error("{key} {path} can't be read: {error}")]
    Unreadable { key: &'static str, path: PathBuf, error: io::Error },
    #[error("{key} {path} {error}")]
    Format { key: &'static str, path: PathBuf, error: FormatError },
    #[error("the variable {name} {error}")]
    Variable { name: &'static str, error: FormatError },
}

/// The text of a file that the configuration names under `key`.
pub(super) async fn read(key: &'static str, path: &Path) -> Result<String, FileError> {
    let unreadable = |error| FileError::Unreadable { key, path: path.to_owned(), error };
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?.take(MAX_FILE_BYTES + 1);
    let mut text = String::new();
    let read_bytes = file.read_to_string(&mut text).await.map_err(unreadable)?;
    if read_bytes as u64 > MAX_FILE_BYTES {
        return Err(unreadable(io::Error::other(format!("it has more than {MAX_FILE_BYTES} bytes"))));
    }
    Ok(text)
}

/// The lists of logins at `place`, the one that counts more first.
pub(super) async fn docker_configs(place: &DockerConfigPlace) -> Result<Vec<DockerConfig>, FileError> {
    let path = match place {
        DockerConfigPlace::Path(path) => return Ok(vec![load(&in_folder(path)).await?]),
        DockerConfigPlace::Auto => docker_folder().map(|folder| in_folder(&folder)),
    };
    let mut lists = own_docker_config()?;
    lists.extend(variable(DOCKER_VARIABLE)?);
    if let Some(path) = path.filter(|path| path.is_file()) {
        lists.push(load(&path).await?);
    }
    Ok(lists)
}

/// The list in the environment that is meant for Shoal alone.
pub(super) fn own_docker_config() -> Result<Vec<DockerConfig>, FileError> {
    Ok(variable(OWN_VARIABLE)?.into_iter().collect())
}

async fn load(path: &Path) -> Result<DockerConfig, FileError> {
    const KEY: &str = "docker_config";
    let text = read(KEY, path).await?;
    DockerConfig::parse(&text).map_err(|error| FileError::Format { key: KEY, path: path.to_owned(), error })
}

/// The file that is meant by a folder; anything else is a file itself.
fn in_folder(path: &Path) -> PathBuf {
    let mut inside = NAMES.iter().map(|name| path.join(name));
    match path.is_dir() {
        true => inside.find(|file| file.is_file()).unwrap_or_else(|| path.join(NAMES[0])),
        false => path.to_owned(),
    }
}

fn docker_folder() -> Option<PathBuf> {
    let named = env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".docker")))
}

fn variable(name: &'static str) -> Result<Option<DockerConfig>, FileError> {
    let text = env::var(name).unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(None);
    }
    DockerConfig::parse(&text).map(Some).map_err(|error| FileError::Variable { name, error })
}
