//! A person who has shown who they are, until that becomes a login: what the provider says of them, and how sure it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::LOCAL;
use crate::broker::store::StoreError;
use crate::proto::name::Account;

/// Who, by whose word. Kept as JSON with the code that it waits behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// The name at the provider.
    pub(crate) name: Account,
    /// The provider: `local` for the embedded directory.
    pub(crate) idp: String,
    /// The groups that the provider says; none for the directory's people, whose groups are looked up at each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<Vec<Account>>,
    /// When more than one factor was shown, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mfa_at: Option<u64>,
    /// What the provider can be asked with whether the person is still there, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<String>,
}

impl Person {
    /// Somebody of the embedded directory.
    pub(crate) fn local(name: Account) -> Self {
        Self { name, idp: LOCAL.to_owned(), groups: None, mfa_at: None, upstream: None }
    }

    /// As the tables have it.
    pub(in crate::broker) fn written(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|_| StoreError::Corrupt("person"))
    }

    /// Out of a table.
    pub(in crate::broker) fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).map_err(|_| StoreError::Corrupt("person"))
    }
}

/// `name@idp`, as policy and journal write it.
impl fmt::Display for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.idp)
    }
}
