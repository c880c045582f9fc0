//! The shape of a setting, and the macro that turns one definition into typed structs and their table.

use super::value::Slot;

/// One option of `T`: its key, what it means, and where its value lives.
pub(super) struct Setting<T: 'static> {
    /// Key in the file, with its section: `mirror.listen`.
    pub(super) key: &'static str,
    /// What it means, line by line.
    pub(super) doc: &'static [&'static str],
    /// Where the value is.
    pub(super) slot: fn(&T) -> &dyn Slot,
    /// The same, to change it.
    pub(super) slot_mut: fn(&mut T) -> &mut dyn Slot,
}

/// A table that may stand in the file several times.
pub(super) trait Entry: Default + Sized + 'static {
    /// Its key: `registry` for `[[registry]]`.
    const KEY: &'static str;
    /// What it means, line by line.
    const DOC: &'static [&'static str];
    /// One as a flag has it.
    const EXAMPLE: &'static str;
    /// Its settings; the first is always shown.
    const SETTINGS: &'static [Setting<Self>];

    /// The environment variable: `SHOAL_REGISTRY`.
    fn variable() -> String {
        format!("SHOAL_{}", Self::KEY.to_uppercase())
    }
}

impl<T> Setting<T> {
    /// The environment variable: `SHOAL_MIRROR_LISTEN`.
    pub(super) fn variable(&self) -> String {
        format!("SHOAL_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The flag without its dashes: `mirror-listen`.
    pub(super) fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// Section and name; a key outside of sections has the empty section.
    pub(super) fn section_and_name(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }

    /// The doc in one line.
    pub(super) fn help(&self) -> String {
        self.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }
}

/// Writes the structs, their defaults and the tables of settings for definitions that read like the file itself.
macro_rules! settings {
    (
        $(#[doc = $root_doc:literal])+
        $Root:ident { $( $(#[doc = $doc:literal])+ $key:ident: $Type:ty = $default:expr; )* }
        $( $(#[doc = $section_doc:literal])+ [$section:ident] $Section:ident {
            $( $(#[doc = $field_doc:literal])+ $field:ident: $FieldType:ty = $field_default:expr; )*
        } )*
        $( @list $example:literal
        $(#[doc = $list_doc:literal])+
        [$list:ident] $Entry:ident {
            $( $(#[doc = $entry_doc:literal])+ $entry:ident: $EntryType:ty = $entry_default:expr; )*
        } = $list_default:expr; )+
    ) => {
        settings!(@struct $(#[doc = $root_doc])+ $Root {
            $( $(#[doc = $doc])+ $key: $Type = $default; )*
            $( $(#[doc = $section_doc])+ $section: $Section = $Section::default(); )*
            $( $(#[doc = $list_doc])+ $list: Vec<$Entry> = $list_default; )+
        });
        $( settings!(@struct $(#[doc = $section_doc])+ $Section {
            $( $(#[doc = $field_doc])+ $field: $FieldType = $field_default; )*
        }); )*
        $( settings!(@struct $(#[doc = $list_doc])+ $Entry {
            $( $(#[doc = $entry_doc])+ $entry: $EntryType = $entry_default; )*
        }); )+

        /// Every setting that is not part of a list, in the order of their definition.
        pub(super) const SETTINGS: &[Setting<$Root>] = &[
            $( settings!(@setting $Root, stringify!($key), [$($doc),+], $key), )*
            $( $( settings!(
                @setting $Root, concat!(stringify!($section), ".", stringify!($field)), [$($field_doc),+],
                $section . $field
            ), )* )*
        ];

        $( impl Entry for $Entry {
            const KEY: &'static str = stringify!($list);
            const DOC: &'static [&'static str] = &[$($list_doc),+];
            const EXAMPLE: &'static str = $example;
            const SETTINGS: &'static [Setting<Self>] = &[
                $( settings!(@setting $Entry, stringify!($entry), [$($entry_doc),+], $entry), )*
            ];
        } )+

        /// The keys of the lists of tables.
        pub(super) const LIST_KEYS: &[&str] = &[$( stringify!($list) ),+];
    };
    (@setting $Target:ty, $key:expr, [$($doc:literal),+], $($path:ident).+) => {
        Setting::<$Target> {
            key: $key,
            doc: &[$($doc),+],
            slot: |target| &target.$($path).+,
            slot_mut: |target| &mut target.$($path).+,
        }
    };
    (@struct $(#[doc = $doc:literal])+ $Name:ident {
        $( $(#[doc = $field_doc:literal])+ $field:ident: $Type:ty = $default:expr; )*
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Name { $( $(#[doc = $field_doc])+ pub $field: $Type, )* }

        impl Default for $Name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }
    };
}
pub(super) use settings;
