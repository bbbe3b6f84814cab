//! An OpenID Provider whose people may log in: an `[[identity_provider]]` of the file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::cluster::is_safe;
use super::{Config, ConfigError};
use crate::broker::identity::LOCAL;
use crate::glob;
use crate::proto::Secret;

/// One provider, and how its claims are read.
#[derive(Debug, Clone)]
pub struct Provider {
    /// What stands behind the `@` of its people: `corp`.
    pub name: String,
    /// What the button says.
    pub title: String,
    /// The issuer, as it writes itself; its discovery document is below it.
    pub issuer: String,
    /// What it knows this broker by.
    pub client_id: String,
    /// What this broker shows it, where it gave a secret.
    pub client_secret: Option<Secret<String>>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that is the person's name.
    pub username_claim: String,
    /// The claim with the person's groups.
    pub groups_claim: String,
    /// Which of its groups count, as patterns with `*`.
    pub groups: Vec<String>,
    /// The values of `amr` that stand for more than one factor.
    pub mfa_amr: Vec<String>,
    /// The values of `acr` that do.
    pub mfa_acr: Vec<String>,
    /// A PEM file with the only roots that vouch for it; without one those of the machine do.
    pub ca: Option<PathBuf>,
}

impl Provider {
    /// Whether one of its groups counts.
    pub(crate) fn takes_group(&self, group: &str) -> bool {
        self.groups.iter().any(|pattern| glob::matches(pattern, group))
    }
}

/// The `[[identity_provider]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderTable {
    name: String,
    title: Option<String>,
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    username_claim: Option<String>,
    groups_claim: Option<String>,
    groups: Option<Vec<String>>,
    mfa_amr: Option<Vec<String>>,
    #[serde(default)]
    mfa_acr: Vec<String>,
    ca: Option<PathBuf>,
}

impl ProviderTable {
    /// Fills in the defaults, reads the secret, and refuses what does not go together.
    pub(super) fn resolve(self, folder: &Path) -> Result<Provider, ConfigError> {
        let name = self.name;
        let unfit = |why: &str| ConfigError::Unfit(format!("the identity provider {name:?}: {why}"));
        let simple = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > LONGEST || name == LOCAL || !name.bytes().all(simple) {
            return Err(unfit("its name has 1 to 32 lower-case letters, digits and `-`, and is not \"local\""));
        }
        let safe = Url::parse(&self.issuer).is_ok_and(|url| is_safe(&url) && url.query().is_none() && url.fragment().is_none());
        if !safe {
            return Err(unfit("issuer begins with https://, or with http:// and this machine's own address"));
        }
        if self.client_id.is_empty() {
            return Err(unfit("client_id must not be empty"));
        }
        let client_secret = match &self.client_secret_file {
            None => None,
            Some(file) => {
                let file = folder.join(file);
                let unread = |error| unfit(&format!("client_secret_file {}: {error}", file.display()));
                if std::fs::metadata(&file).map_err(unread)?.permissions().mode() & 0o027 != 0 {
                    return Err(unfit(&format!(
                        "client_secret_file {0} is open to others: run `chmod g-w,o= {0}`",
                        file.display()
                    )));
                }
                let secret = std::fs::read_to_string(&file).map_err(unread)?.trim().to_owned();
                if secret.is_empty() {
                    return Err(unfit(&format!("client_secret_file {} is empty", file.display())));
                }
                Some(Secret::new(secret))
            }
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Ok(Provider {
            title: self.title.unwrap_or_else(|| name.clone()),
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret,
            scopes: self.scopes.unwrap_or_else(|| words(&SCOPES)),
            username_claim: self.username_claim.unwrap_or_else(|| "preferred_username".to_owned()),
            groups_claim: self.groups_claim.unwrap_or_else(|| "groups".to_owned()),
            groups: self.groups.unwrap_or_else(|| words(&["*"])),
            mfa_amr: self.mfa_amr.unwrap_or_else(|| words(&MFA_AMR)),
            mfa_acr: self.mfa_acr,
            ca: self.ca.map(|ca| folder.join(ca)),
            name,
        })
    }
}

impl Config {
    /// Refuses providers that cannot be told apart.
    pub(super) fn check_providers(&self) -> Result<(), ConfigError> {
        for (index, provider) in self.providers.iter().enumerate() {
            if self.providers[..index].iter().any(|other| other.name == provider.name) {
                return Err(ConfigError::Unfit(format!("there are two identity providers called {:?}", provider.name)));
            }
        }
        Ok(())
    }
}

/// A name, groups, and a refresh token with which the provider can be asked whether the person is still there.
const SCOPES: [&str; 4] = ["profile", "email", "groups", "offline_access"];

/// RFC 8176: several factors, a one-time password (which comes on top of something), a key in hardware.
const MFA_AMR: [&str; 3] = ["mfa", "otp", "hwk"];

/// The most characters of a provider's name.
const LONGEST: usize = 32;
