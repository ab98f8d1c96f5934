//! What the sandbox is started with.

use std::str::FromStr;

/// 4 MiB (contracts.md §5), and 64 KiB slack for the header row.
pub const SCORE_PART_LIMIT: usize = 4 * 1024 * 1024 + 64 * 1024;

/// Credentials and behaviour of the three systems.
#[derive(Clone, Debug)]
pub struct Config {
    /// OAuth client id that DACS takes.
    pub client_id: String,
    /// OAuth client secret that DACS takes.
    pub client_secret: String,
    /// User name that DERMS takes.
    pub username: String,
    /// Password that DERMS takes.
    pub password: String,
    /// Lifetime of a token, in seconds.
    pub token_seconds: u64,
    /// Seed of the fault draws.
    pub seed: u64,
    /// Release of DACS: before 25.10 there is no `postAcknowledgement`.
    pub dacs_release: Release,
    /// DACS takes acknowledgements of sync requests nobody created here.
    pub create_unknown_sync_requests: bool,
    /// Largest CSV part of a device score call, in bytes.
    pub score_part_limit: usize,
    /// Keep digests of device scores instead of their rows.
    pub digest: bool,
}

impl Config {
    /// The defaults with these credentials: (client id, secret) for DACS, (user, password) for DERMS.
    pub fn new(client: (&str, &str), user: (&str, &str)) -> Self {
        Self {
            client_id: client.0.to_owned(),
            client_secret: client.1.to_owned(),
            username: user.0.to_owned(),
            password: user.1.to_owned(),
            token_seconds: 3600,
            seed: 1,
            dacs_release: Release(25, 10),
            create_unknown_sync_requests: false,
            score_part_limit: SCORE_PART_LIMIT,
            digest: false,
        }
    }
}

/// A release of DACS: year and number, `25.10` after `25.4`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Release(pub u16, pub u16);

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a release such as 25.4");
        let (year, number) = text.split_once('.').ok_or_else(wrong)?;
        let part = |text: &str| text.parse().map_err(|_| wrong());
        Ok(Self(part(year)?, part(number)?))
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}
