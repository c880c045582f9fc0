//! `shoal import`.

use std::{
    io,
    path::{Path, PathBuf, absolute},
};

use crate::{
    configure::Root,
    import::{self, Secrets, Sources},
};

use super::{
    args::ImportArgs,
    exit::{CliError, Exit},
    print,
};

/// Prints the sections, and says on standard error what could not be carried over.
pub(super) fn import(args: &ImportArgs) -> Result<(), CliError> {
    let could_not_run = |error: &dyn ToString| CliError::new(Exit::CouldNotRun, error.to_string());
    let sources = sources(args).map_err(|error| could_not_run(&error))?;
    let secrets =
        args.secrets_dir.as_deref().map(absolute).transpose().map_err(|error| could_not_run(&error))?;
    let found = import::import(&Root::new(&args.root), &sources);
    let mut found = found.map_err(|error| could_not_run(&error))?;
    let text = found.to_toml(&Secrets::new(secrets)).map_err(|error| could_not_run(&error))?;
    print(&text)?;
    for note in &found.notes {
        anstream::eprintln!("note: {note}");
    }
    Ok(())
}

/// The files that were named, else those that runtimes read.
fn sources(args: &ImportArgs) -> io::Result<Sources> {
    let one = |path: &Option<PathBuf>| path.as_deref().map(absolute).transpose();
    let all =
        |paths: &[PathBuf]| paths.iter().map(|path| absolute(Path::new(path))).collect::<io::Result<_>>();
    let named = Sources {
        containerd: one(&args.containerd)?,
        docker: one(&args.docker)?,
        containers: one(&args.containers)?,
        folders: all(&args.certs_d)?,
        logins: all(&args.logins)?,
    };
    Ok(if named.is_empty() { Sources::usual() } else { named })
}
