//! Podman and CRI-O: what `registries.conf` and the files beside it come to, and the policy for images.

mod entries;
mod files;

use std::path::Path;

use super::{
    RUNTIME,
    at::Relation,
    found::{Files, Found, found},
    hosts_file::said,
    site::Site,
    version,
};
use crate::{
    configure::{
        ConfigureError,
        reading::{Entries, Entry, Fields, View},
    },
    doctor::{Check, Context, Finding, Outcome},
};

pub(in crate::doctor) const CHECKS: &[Check] = &[
    CONFIG,
    files::MIRROR,
    files::MIXED,
    files::POLICY_CHECK,
    entries::PORT,
    entries::INSECURE,
    entries::PATH,
    entries::REPLACED,
    entries::PAST,
    entries::DIGEST_ONLY,
    entries::BLOCKED,
];

const ID: &str = "containers-config";
/// What reads these files and pulls for others. Buildah and skopeo, which read them too, are tools.
const PROGRAMS: [&str; 2] = ["podman", "crio"];
/// Which images may be used.
const POLICY: &str = "/etc/containers/policy.json";

const CONFIG: Check = Check {
    id: ID,
    title: "registries.conf and the files beside it can be read",
    why: "Podman and CRI-O pull nothing as long as one of these files has a mistake.",
    mend: "Correct the line that the finding names.",
    probe: |context| {
        Box::pin(async move {
            match &*found::<Containers>(&context).await {
                Found::Absent(reason) => Outcome::skipped(*reason),
                Found::Unreadable(what) => Outcome::wrong(Finding::new(
                    what.clone(),
                    "Correct that; it counts from the next pull on.",
                )),
                Found::Here(found) => {
                    Outcome::well(format!("{} entries for registries", found.entries.list.len()))
                }
            }
        })
    },
    ..RUNTIME
};

/// What the files of Podman and CRI-O say.
pub(in crate::doctor) struct Containers {
    site: Site,
    /// Which program is here.
    program: &'static str,
    entries: Entries,
    /// The main file in two forms that exclude each other, if it is.
    mixed: Option<&'static str>,
    /// The text of the policy.
    policy: Option<String>,
}

impl Files for Containers {
    const UNREADABLE: &'static str = "registries.conf can't be read";

    async fn look(context: &Context) -> Found<Self> {
        let root = context.root();
        let Some(program) = PROGRAMS.into_iter().find(|name| version::find_program(root, name).is_some())
        else {
            return Found::Absent("neither Podman nor CRI-O is on this host");
        };
        match Self::load(&Site::of(context), program) {
            Ok(containers) => Found::Here(Box::new(containers)),
            Err(error) => Found::Unreadable(said(&error)),
        }
    }

    /// Even in an entry that does not count.
    fn is_told(&self) -> bool {
        self.with_mirror().next().is_some()
            || self.entries.replaced.iter().any(|entry| self.mirror_in(entry).is_some())
    }
}

impl Containers {
    fn load(site: &Site, program: &'static str) -> Result<Self, ConfigureError> {
        let view = View::as_is(&site.root);
        Ok(Self {
            site: site.clone(),
            program,
            entries: Entries::load(&view)?,
            mixed: files::mixed_file(&view)?,
            policy: view.read(Path::new(POLICY))?,
        })
    }

    /// How the runtime is called on the command line of `shoal configure`.
    fn runtime(&self) -> crate::configure::Runtime {
        match self.program {
            "crio" => crate::configure::Runtime::Crio,
            _ => crate::configure::Runtime::Podman,
        }
    }

    /// The mirror in an entry's list.
    fn mirror_in<'a>(&self, entry: &'a Entry) -> Option<&'a Fields> {
        entry.mirrors.iter().find(|fields| self.relation(fields) == Relation::Mirror)
    }

    fn relation(&self, fields: &Fields) -> Relation {
        fields.text("location").map_or(Relation::Elsewhere, |location| self.site.mirror.relation(location))
    }

    /// Entries that name the mirror, with its settings there.
    fn with_mirror(&self) -> impl Iterator<Item = (&Entry, &Fields)> {
        self.entries.list.iter().filter_map(|entry| Some((entry, self.mirror_in(entry)?)))
    }

    /// A part of a registry whose images come through the mirror.
    pub(in crate::doctor) fn canary_place(&self) -> Option<String> {
        let mut prefixes = self.with_mirror().map(|(entry, _)| entry.prefix.clone());
        prefixes.find(|prefix| !prefix.starts_with('*'))
    }
}
