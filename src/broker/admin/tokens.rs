//! Tokens that an operator hands out: join tokens for agents, user tokens for machines that have no browser.
//!
//! The secret is shown once, when the token is made; the store has only its SHA-256. A token is known by its id afterwards.

use super::wire::{JoinTokenSpec, TokenId, TokenRow, UserTokenSpec};
use super::{Admin, AdminError};
use crate::broker::audit::Event;
use crate::broker::identity::token;
use crate::broker::store::{self, TokenKind};
use crate::proto::join::JoinToken;
use crate::proto::{Actions, Secret};

impl Admin {
    /// Makes a token with which agents join, as the one line that is handed over.
    ///
    /// # Errors
    /// [`AdminError::Invalid`] outside the limits, and what keeps it from being written down.
    pub async fn create_join_token(&self, spec: JoinTokenSpec) -> Result<Secret<String>, AdminError> {
        if !(1..=USES_MOST).contains(&spec.uses) {
            return Err(AdminError::Invalid("a join token has 1 to 100000 uses"));
        }
        let ttl = spec.ttl.as_secs();
        if !(1..=JOIN_TTL_MOST).contains(&ttl) {
            return Err(AdminError::Invalid("a join token lives for 1 second to 90 days"));
        }
        spec.asserts.check().map_err(AdminError::Invalid)?;
        let (id, secret, now) = (TokenId::random(), token::random(""), self.state.clock.now());
        let join = JoinToken {
            broker: self.state.config.public_url_text().to_owned(),
            // From there an agent follows, whatever its version is.
            ca: self.state.ca.plain_set().fingerprint(),
            tls_root: self.state.tls_root.as_ref().map(|root| root.fingerprint().to_string()),
            secret: secret.clone(),
        };
        let made = self.made(&id, "join", join_scope(&spec));
        let row = store::JoinToken {
            id: id.to_string(),
            secret_hash: token::hash(secret.expose()),
            uses_left: spec.uses,
            expires_at: now + ttl,
            asserts: spec.asserts,
            created_at: now,
        };
        self.carry_out(made, self.state.store.add_join_token(row)).await?;
        Ok(join.encode())
    }

    /// Makes a token that is a user's login, for `ZTCTL_TOKEN`; it may be narrower than the user.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], [`AdminError::Invalid`] outside the limits, and what keeps it from being written down.
    pub async fn create_user_token(&self, spec: UserTokenSpec) -> Result<Secret<String>, AdminError> {
        let ttl = spec.ttl.as_secs();
        if !(1..=USER_TTL_MOST).contains(&ttl) {
            return Err(AdminError::Invalid("a user token lives for 1 second to 366 days"));
        }
        if spec.actions.as_ref().is_some_and(Actions::is_empty) {
            return Err(AdminError::Invalid("a user token without any action is good for nothing"));
        }
        if spec.containers.len() > PATTERNS_MOST || spec.containers.iter().any(|pattern| !is_pattern(pattern)) {
            return Err(AdminError::Invalid(
                "a container pattern has lower-case letters, digits, `.`, `_`, `-` and `*`, at most 128; a token has at most 64 of them",
            ));
        }
        self.known(&spec.user).await?;
        let (id, now) = (TokenId::random(), self.state.clock.now());
        let secret = token::random(token::USER);
        let made = self.made(&id, "user", user_scope(&spec));
        let row = store::UserToken {
            id: id.to_string(),
            hash: token::hash(secret.expose()),
            user: spec.user,
            expires_at: now + ttl,
            actions: spec.actions.unwrap_or_default(),
            containers: spec.containers,
            created_at: now,
        };
        self.carry_out(made, self.state.store.add_user_token(row)).await?;
        Ok(secret)
    }

    /// The tokens that exist, without their secrets.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, AdminError> {
        Ok(self.state.store.tokens().await?.into_iter().map(TokenRow::from).collect())
    }

    /// Revokes a token. Agents that joined with it stay; what a user token opened ends with its deadline.
    ///
    /// # Errors
    /// [`AdminError::NoToken`], and what keeps it from being written down.
    pub async fn remove_token(&self, id: &TokenId) -> Result<(), AdminError> {
        if !self.state.store.tokens().await?.iter().any(|token| token.id == id.as_str()) {
            return Err(AdminError::NoToken(id.clone()));
        }
        let revoked = Event::TokenRevoked { token: id.to_string(), by: self.by() };
        self.carry_out(revoked, self.state.store.remove_token(id.as_str())).await.map(drop)
    }

    fn made(&self, id: &TokenId, kind: &str, scope: String) -> Event {
        Event::TokenCreated { token: id.to_string(), kind: kind.to_owned(), scope, by: self.by() }
    }
}

impl From<store::TokenRow> for TokenRow {
    fn from(token: store::TokenRow) -> Self {
        let kind = match token.kind {
            TokenKind::Join => "join",
            TokenKind::User => "user",
        };
        Self {
            id: token.id,
            kind: kind.to_owned(),
            user: token.user,
            uses_left: token.uses_left,
            created_at: token.created_at,
            expires_at: token.expires_at,
            asserts: token.asserts,
            actions: token.actions,
            containers: token.containers,
        }
    }
}

fn join_scope(spec: &JoinTokenSpec) -> String {
    let mut scope = format!("{} uses within {} s", spec.uses, spec.ttl.as_secs());
    for (word, value) in spec.asserts.words() {
        scope += &format!(", {word} {value}");
    }
    scope
}

fn user_scope(spec: &UserTokenSpec) -> String {
    let actions = spec.actions.as_ref().map_or_else(|| "all actions".to_owned(), Actions::to_string);
    let containers = if spec.containers.is_empty() { "all containers".to_owned() } else { spec.containers.join(",") };
    format!("{} for {} s: {actions} on {containers}", spec.user, spec.ttl.as_secs())
}

pub(super) fn is_pattern(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-' | b'*');
    !text.is_empty() && text.len() <= 128 && text.bytes().all(allowed)
}

const USES_MOST: u32 = 100_000;
const JOIN_TTL_MOST: u64 = 90 * 86_400;
const USER_TTL_MOST: u64 = 366 * 86_400;
const PATTERNS_MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::enrolment::Assertions;

    #[test]
    fn patterns_are_names_with_stars() {
        for text in ["web-*", "*", "tomcat-7f9", "a.b_c"] {
            assert!(is_pattern(text), "{text}");
        }
        for text in ["", "Web", "a b", "a\n", &"a".repeat(129)] {
            assert!(!is_pattern(text), "{text}");
        }
    }

    #[test]
    fn the_scope_says_what_a_token_is_worth() {
        let minute = std::time::Duration::from_secs(60);
        let asserts = Assertions { cluster: Some("prod".into()), ..Assertions::default() };
        let join = JoinTokenSpec { uses: 2, ttl: minute, asserts };
        assert_eq!(join_scope(&join), "2 uses within 60 s, cluster prod");
        let user = UserTokenSpec { user: "ci".parse().unwrap(), ttl: minute, actions: None, containers: vec!["web-*".into()] };
        assert_eq!(user_scope(&user), "ci for 60 s: all actions on web-*");
    }
}
