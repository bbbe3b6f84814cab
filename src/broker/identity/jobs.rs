//! CI jobs that prove what they are by their platform's token (RFC 8693): which repository, which branch.
//!
//! The issuer that a token names only finds the rules of the configuration that could be meant; whose keys are believed, and what the
//! token has to say, stands in those. A token must be for this broker alone: one that others take as well could have been passed on
//! by them.

#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Narrowing, Person};
use crate::broker::config::{Config, Job};
use crate::broker::jwt::{JwtError, Keys};
use crate::glob;

/// The rules of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// What a token's audience has to be.
    audience: String,
    known: Vec<(Job, Keys)>,
}

/// A job that has proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proved {
    /// Who it is here.
    pub(crate) person: Person,
    /// What it may at most.
    pub(crate) narrowed: Narrowing,
    /// How long its login lasts, in seconds.
    pub(crate) lifetime: u64,
    /// The token's `sub`, for the audit.
    pub(crate) subject: String,
}

/// Why a job's token is not taken. Whoever maintains the job reads it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("the token is none: three parts with points between them are expected")]
    NotOne,
    #[error("this broker's configuration has no job of the issuer {0:?}")]
    Issuer(String),
    #[error("the token is not believed: {0}")]
    Token(#[from] JwtError),
    #[error(
        "the token is for the audience {theirs:?} and not for {ours:?} alone: ask your platform for one with this audience"
    )]
    Audience { theirs: Vec<String>, ours: String },
    #[error("the token has expired {0} s ago: get a new one just before you use it")]
    Expired(u64),
    #[error("the token is valid only in {0} s: the clocks of broker and platform differ")]
    Early(u64),
    #[error("the token has no {0:?}")]
    Missing(&'static str),
    #[error("no job of the configuration has such claims: the token's subject is {0:?}")]
    Claims(String),
}

impl Jobs {
    /// Those of the configuration.
    ///
    /// # Errors
    /// A sentence when a job's keys can never be fetched.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let of = |job: &Job| match Keys::new(job.keys.clone()) {
            Ok(keys) => Ok((job.clone(), keys)),
            Err(why) => Err(format!("the keys of the job {} can never be fetched: {why}", job.name)),
        };
        let known = config.jobs.iter().map(of).collect::<Result<_, _>>()?;
        Ok(Self { audience: config.public_url_text().to_owned(), known })
    }

    /// Which job `token` is of: the first of the configuration that it fits.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) async fn prove(&self, token: &str, now: u64) -> Result<Proved, NotTaken> {
        let issuer = issuer(token).ok_or(NotTaken::NotOne)?;
        let mut why = NotTaken::Issuer(issuer.chars().take(SHOWN).collect());
        for (job, keys) in self.known.iter().filter(|(job, _)| job.issuer == issuer) {
            match keys.verify::<Map<String, Value>>(token).await {
                Ok(claims) => match judge(job, &self.audience, &claims, now) {
                    // Another one may fit.
                    Err(error @ NotTaken::Claims(_)) => why = error,
                    judged => return judged,
                },
                Err(error) => why = error.into(),
            }
        }
        Err(why)
    }
}

/// What the claims of a token, which are believed, make of it.
///
/// # Errors
/// [`NotTaken`].
pub(in crate::broker) fn judge(job: &Job, audience: &str, claims: &Map<String, Value>, now: u64) -> Result<Proved, NotTaken> {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    if text("iss") != Some(job.issuer.as_str()) {
        return Err(NotTaken::Missing("iss"));
    }
    let theirs: Vec<String> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect(),
        _ => Vec::new(),
    };
    if theirs.is_empty() || !theirs.iter().all(|aud| aud.trim_end_matches('/') == audience) {
        return Err(NotTaken::Audience { theirs, ours: audience.to_owned() });
    }
    let time = |claim: &str| claims.get(claim).and_then(Value::as_u64);
    let expires = time("exp").ok_or(NotTaken::Missing("exp"))?;
    if expires <= now {
        return Err(NotTaken::Expired(now - expires));
    }
    let from = time("iat").into_iter().chain(time("nbf")).max().unwrap_or(0);
    if from > now.saturating_add(SKEW) {
        return Err(NotTaken::Early(from - now));
    }
    let subject = text("sub").ok_or(NotTaken::Missing("sub"))?.chars().take(SUBJECT).collect::<String>();
    let fits = |(claim, pattern): (&String, &String)| match claims.get(claim) {
        Some(Value::String(said)) => glob::matches(pattern, said),
        Some(Value::Number(number)) => number.to_string() == *pattern,
        Some(Value::Bool(said)) => *pattern == if *said { "true" } else { "false" },
        _ => false,
    };
    if !job.claims.iter().all(fits) {
        return Err(NotTaken::Claims(subject));
    }
    let person = Person {
        name: job.user.clone(),
        idp: job.name.clone(),
        groups: Some(job.groups.clone()),
        mfa_at: None,
        upstream: None,
    };
    Ok(Proved { person, narrowed: job.narrowed.clone(), lifetime: job.lifetime.as_secs(), subject })
}

/// What the token says of its issuer, which nobody has verified.
fn issuer(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// How far the platform's clock may be ahead, in seconds.
const SKEW: u64 = 60;

/// The most characters of an issuer that somebody unknown says.
const SHOWN: usize = 100;

/// The most characters of a subject.
const SUBJECT: usize = 300;
