//! What systemd puts into a runtime's environment.

use std::path::{Path, PathBuf};

use crate::configure::{ConfigureError, reading::View};

/// Where unit files and what is added to them are; the later ones win.
const FOLDERS: [&str; 4] =
    ["/lib/systemd/system", "/usr/lib/systemd/system", "/run/systemd/system", "/etc/systemd/system"];

/// The variables of the service called `name`, as its unit files and their `EnvironmentFile`s set them.
///
/// # Errors
/// When one of these files is there and can't be read.
pub(super) fn environment(view: &View<'_>, name: &str) -> Result<Vec<(String, String)>, ConfigureError> {
    let mut variables = Vec::new();
    for path in files(view, name)? {
        for line in view.read(&path)?.unwrap_or_default().lines() {
            if let Some(file) = line.trim().strip_prefix("EnvironmentFile=") {
                let text = view.read(Path::new(file.trim_start_matches('-').trim()))?.unwrap_or_default();
                text.lines().filter_map(assignment).for_each(|pair| set(&mut variables, pair));
            } else if let Some(list) = line.trim().strip_prefix("Environment=") {
                words(list)
                    .iter()
                    .filter_map(|word| assignment(word))
                    .for_each(|pair| set(&mut variables, pair));
            }
        }
    }
    Ok(variables)
}

fn files(view: &View<'_>, name: &str) -> Result<Vec<PathBuf>, ConfigureError> {
    let mut files: Vec<PathBuf> =
        FOLDERS.iter().map(|folder| Path::new(folder).join(format!("{name}.service"))).collect();
    for folder in FOLDERS {
        let folder = Path::new(folder).join(format!("{name}.service.d"));
        let names = view.files(&folder)?;
        files.extend(names.into_iter().filter(|name| name.ends_with(".conf")).map(|name| folder.join(name)));
    }
    Ok(files)
}

fn set(variables: &mut Vec<(String, String)>, (name, value): (String, String)) {
    variables.retain(|(known, _)| *known != name);
    variables.push((name, value));
}

fn assignment(text: &str) -> Option<(String, String)> {
    let (name, value) = text.trim().split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
}

/// The words of a line, in which quotes hold spaces together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match (character, quote) {
            ('"' | '\'', None) => quote = Some(character),
            (end, Some(open)) if end == open => quote = None,
            (space, None) if space.is_whitespace() => words.push(String::new()),
            (other, _) => words.iter_mut().last().into_iter().for_each(|word| word.push(other)),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configure::Root;

    #[test]
    fn drop_ins_and_environment_files_add_up() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put(
            "usr/lib/systemd/system/containerd.service",
            "[Service]\nExecStart=/usr/bin/containerd\nEnvironment=\"HTTP_PROXY=http://old:3128\" A='b c'\n",
        );
        put(
            "etc/systemd/system/containerd.service.d/10-proxy.conf",
            "[Service]\nEnvironmentFile=-/etc/proxy\n",
        );
        put("etc/systemd/system/containerd.service.d/notes.txt", "Environment=B=1\n");
        put("etc/proxy", "# ours\nHTTP_PROXY=http://proxy:3128\nNO_PROXY=\"localhost,10.0.0.0/8\"\n");
        let root = Root::new(root.path());
        let found = environment(&View::as_is(&root), "containerd").unwrap();
        let pairs: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected =
            [("A", "b c"), ("HTTP_PROXY", "http://proxy:3128"), ("NO_PROXY", "localhost,10.0.0.0/8")];
        assert_eq!(pairs, expected);
    }
}
