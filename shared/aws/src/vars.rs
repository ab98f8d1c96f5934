use std::collections::BTreeMap;
use std::str::FromStr;

/// A variable that the template should have set otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadVar {
    /// It is not there, or empty.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// It is there and means nothing. Its value is not repeated.
    #[error("the environment variable {name} is not {wanted}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What it should be, such as `a whole number`.
        wanted: &'static str,
    },
}

/// The environment, read once. A function's configuration takes from it by literal names; what is missing or malformed
/// is an error at start, never a default. An empty value is a missing one: templates cannot leave a variable out.
#[derive(Clone, Default)]
pub struct Vars(BTreeMap<String, String>);

impl Vars {
    /// The environment of this process. Names or values that are not UTF-8 are left out.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn from_env() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// A text.
    ///
    /// # Errors
    /// [`BadVar::Missing`].
    pub fn text(&self, name: &'static str) -> Result<String, BadVar> {
        self.optional(name).map(str::to_owned).ok_or(BadVar::Missing(name))
    }

    /// A text that may be absent.
    #[must_use]
    pub fn optional(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Anything that reads itself, such as a release; `wanted` says what in the words of whoever deploys.
    ///
    /// # Errors
    /// [`BadVar`].
    pub fn parsed<T: FromStr>(&self, name: &'static str, wanted: &'static str) -> Result<T, BadVar> {
        self.text(name)?.parse().map_err(|_| BadVar::Malformed { name, wanted })
    }

    /// A number that is whole and not negative.
    ///
    /// # Errors
    /// [`BadVar`]; also when the number is too large for `T`.
    pub fn number<T: FromStr>(&self, name: &'static str) -> Result<T, BadVar> {
        let wanted = "a whole number";
        let value = self.text(name)?;
        if !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadVar::Malformed { name, wanted });
        }
        value.parse().map_err(|_| BadVar::Malformed { name, wanted })
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Vars {
    fn from(vars: [(&str, &str); N]) -> Self {
        Self(vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        let vars = Vars::from([("DACS_URL", "")]);
        assert_eq!(vars.text("DACS_URL"), Err(BadVar::Missing("DACS_URL")));
        assert_eq!(vars.text("DERMS_URL"), Err(BadVar::Missing("DERMS_URL")));
        assert_eq!(vars.optional("DACS_URL"), None);
    }

    #[test]
    fn a_malformed_number_is_an_error_and_no_default() {
        for value in ["ten", "-1", "+1", "1.5", " 1", "99999999999"] {
            let vars = Vars::from([("DACS_RATE", value)]);
            let bad = vars.number::<u32>("DACS_RATE");
            assert_eq!(bad, Err(BadVar::Malformed { name: "DACS_RATE", wanted: "a whole number" }), "{value}");
        }
        assert_eq!(Vars::from([("DACS_RATE", "25")]).number::<u32>("DACS_RATE"), Ok(25));
    }
}
