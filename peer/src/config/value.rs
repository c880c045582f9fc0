//! What settings hold: how each type is read from text and TOML, and shown again.

use std::{path::PathBuf, time::Duration};

use toml::de::DeValue;

/// A type that settings can have.
pub(super) trait Value: Sized {
    /// One word for it in help texts: `ADDRESS`.
    const PLACEHOLDER: &'static str;

    /// What is expected, in words that complete "expected …".
    fn expected() -> String;
    /// Reads a flag or an environment variable.
    fn from_text(text: &str) -> Option<Self>;
    /// Reads a value of the file.
    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        Self::from_text(value.as_str()?)
    }
    /// The value as the file would have it; `None` when it is not set.
    fn to_toml(&self) -> Option<toml::Value>;
    /// Looks whether the value can work on this machine; on failure says why not.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A [`Value`] behind a reference, whatever its type.
pub(super) trait Slot {
    /// See [`Value::PLACEHOLDER`].
    fn placeholder(&self) -> &'static str;
    /// See [`Value::expected`].
    fn expected(&self) -> String;
    /// Takes the value from text; false when it is not one.
    fn set_text(&mut self, text: &str) -> bool;
    /// Takes the value from the file; false when it is not one.
    fn set_toml(&mut self, value: &DeValue<'_>) -> bool;
    /// See [`Value::to_toml`].
    fn to_toml(&self) -> Option<toml::Value>;
    /// See [`Value::check`].
    fn check(&self) -> Result<(), String>;
}

impl<T: Value> Slot for T {
    fn placeholder(&self) -> &'static str {
        T::PLACEHOLDER
    }

    fn expected(&self) -> String {
        T::expected()
    }

    fn set_text(&mut self, text: &str) -> bool {
        replace(self, T::from_text(text))
    }

    fn set_toml(&mut self, value: &DeValue<'_>) -> bool {
        replace(self, T::from_toml(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Value::to_toml(self)
    }

    fn check(&self) -> Result<(), String> {
        Value::check(self)
    }
}

fn replace<T>(slot: &mut T, value: Option<T>) -> bool {
    value.map(|value| *slot = value).is_some()
}

impl Value for PathBuf {
    const PLACEHOLDER: &'static str = "DIR";

    fn expected() -> String {
        "a path".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(self.to_string_lossy().into_owned().into())
    }
}

impl Value for bool {
    const PLACEHOLDER: &'static str = "BOOL";

    fn expected() -> String {
        "true or false".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some((*self).into())
    }
}

impl Value for usize {
    const PLACEHOLDER: &'static str = "N";

    fn expected() -> String {
        "a whole number from 1".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0)
    }

    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        decimal(value).and_then(Self::from_text)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        i64::try_from(*self).ok().map(Into::into)
    }
}

/// A number as flags would have it: TOML knows other bases.
fn decimal<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    value.as_integer().filter(|number| number.radix() == 10).map(|number| number.as_str())
}

/// A number that may be nought, which then means "no limit".
impl Value for u64 {
    const PLACEHOLDER: &'static str = "N";

    fn expected() -> String {
        "a whole number, or 0 for no limit".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        decimal(value).and_then(Self::from_text)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        i64::try_from(*self).ok().map(Into::into)
    }
}

impl<T: Value> Value for Option<T> {
    const PLACEHOLDER: &'static str = T::PLACEHOLDER;

    fn expected() -> String {
        T::expected()
    }

    fn from_text(text: &str) -> Option<Self> {
        T::from_text(text).map(Some)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.as_ref().and_then(Value::to_toml)
    }

    fn check(&self) -> Result<(), String> {
        self.as_ref().map_or(Ok(()), Value::check)
    }
}

impl<T: Value> Value for Vec<T> {
    const PLACEHOLDER: &'static str = T::PLACEHOLDER;

    fn expected() -> String {
        format!("a list, each {}", T::expected())
    }

    /// Flags and variables separate the elements with commas.
    fn from_text(text: &str) -> Option<Self> {
        text.split(',').map(str::trim).filter(|element| !element.is_empty()).map(T::from_text).collect()
    }

    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        value.as_array()?.iter().map(|element| T::from_toml(element.get_ref())).collect()
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().filter_map(Value::to_toml).collect()))
    }

    fn check(&self) -> Result<(), String> {
        self.iter().try_for_each(Value::check)
    }
}

/// Reads a time as the settings have it, such as `500ms`, `30s`, `5m` or `24h`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    Duration::from_text(text).ok_or_else(|| format!("expected {}", <Duration as Value>::expected()))
}

/// Units of durations, the longest first: that is how they are shown.
const UNITS_MS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Value for Duration {
    const PLACEHOLDER: &'static str = "TIME";

    fn expected() -> String {
        "a time such as 500ms, 30s, 5m or 24h".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, unit_ms) = UNITS_MS.iter().find(|(name, _)| *name == unit.trim_start())?;
        number.parse::<u64>().ok()?.checked_mul(*unit_ms).map(Self::from_millis)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        let millis = u64::try_from(self.as_millis()).ok()?;
        let (name, unit_ms) =
            UNITS_MS.iter().find(|(_, unit_ms)| millis > 0 && millis % unit_ms == 0).unwrap_or(&("s", 1_000));
        Some(format!("{}{name}", millis / unit_ms).into())
    }
}
