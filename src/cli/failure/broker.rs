//! The broker: out of reach, not believed, or saying no.

use super::{Failure, Kind};
use crate::cli::environment::{CA, TOKEN};
use crate::client::api::{Api, ApiError};
use crate::client::ca_pin::PinError;
use crate::client::http::{BrokerUrl, Http, HttpError, TlsProblem, Unreachable};
use crate::proto::api::ContainerRow;
use crate::proto::error::MfaWay;
use crate::proto::{ErrorBody, ErrorCode};

impl Failure {
    /// A call of `api` has no result.
    pub fn of_api(error: ApiError, api: &Api) -> Self {
        let (broker, ahead) = (api.http().url(), api.http().broker_ahead());
        match error {
            ApiError::Http(error) => Self::http(error, broker, ahead),
            ApiError::Token(error) => Self::token(error, broker, ahead, api.has_fixed_token()),
            ApiError::Refused(body) => Self::refused(*body, broker, ahead),
            error @ ApiError::TooLong { .. } => Self::new(Kind::Usage, "too_long", error.to_string()),
            error @ (ApiError::Reply(_) | ApiError::Link(_)) => {
                Self::new(Kind::Failed, "bad_reply", format!("{broker}: {error}")).hint("ztctl version")
            }
        }
    }

    /// The broker cannot be asked, or is not believed.
    pub fn http(error: HttpError, broker: &BrokerUrl, ahead: Option<i64>) -> Self {
        match error {
            HttpError::Setup(message) => Self::new(Kind::Failed, "setup", message),
            HttpError::Unreachable(why) => Self::unreachable(why, broker),
            HttpError::Tls(problem) => Self::tls(&problem, broker).clock_hint(ahead),
            error @ HttpError::TooLong { .. } => Self::new(Kind::Failed, "bad_answer", format!("{broker}: {error}")),
            HttpError::Unexpected { status } => {
                let message = format!("{broker} does not answer as a broker does (HTTP status {status})");
                Self::new(Kind::Failed, "bad_answer", message).hint(format!("curl {}", broker.at("/healthz")))
            }
        }
    }

    fn unreachable(why: Unreachable, broker: &BrokerUrl) -> Self {
        let failure = |what: &str| Self::new(Kind::Failed, "unreachable", format!("cannot reach {broker}: {what}"));
        match why {
            Unreachable::Name => failure(&format!("the name {} has no address", broker.host()))
                .hint("check the URL, and whether you are on the right network or VPN"),
            Unreachable::Refused => failure("nothing listens there")
                .hint("the broker may be down or restarting: try again, then ask your platform team"),
            Unreachable::Timeout => failure("no answer in time").hint("check the network; behind a proxy set HTTPS_PROXY"),
            Unreachable::Proxy(text) => failure(&format!("the proxy does not let us through ({text})"))
                .hint("check HTTPS_PROXY; hosts in NO_PROXY are reached without it"),
            Unreachable::Cut => failure("the connection was cut")
                .hint("the broker may be restarting, or a proxy in between does not like the request: try again"),
            Unreachable::Other(text) => failure(&text),
        }
    }

    fn tls(problem: &TlsProblem, broker: &BrokerUrl) -> Self {
        let failure = Self::new(Kind::Failed, "tls", format!("{broker} is not trusted: {problem}"));
        match problem {
            TlsProblem::UnknownIssuer => failure
                .hint("if the broker has a private root, get its file from your platform team and name it:")
                .hint(format!("ztctl login {broker} --ca FILE"))
                .hint(format!("with {TOKEN}: export {CA}=FILE")),
            TlsProblem::OtherRoot => failure
                .hint("compare the fingerprint with your platform team's; the broker has to send its root along")
                .hint("if both are right, somebody else may be answering in its place"),
            TlsProblem::WrongName => failure.hint("use the broker's own name in the URL"),
            TlsProblem::Window => {
                failure.hint("compare this machine's clock (date -u); if it is right, tell your platform team")
            }
            TlsProblem::Other(_) => failure.hint("check that this is the broker's port, and that it speaks TLS"),
        }
    }

    /// The broker says no.
    pub fn refused(body: ErrorBody, broker: &BrokerUrl, ahead: Option<i64>) -> Self {
        let (kind, hint) = match body.code {
            ErrorCode::NotLoggedIn => (Kind::NotLoggedIn, format!("ztctl login {broker}")),
            ErrorCode::ProofRefused | ErrorCode::UseDpopNonce => (Kind::NotLoggedIn, format!("ztctl login {broker}")),
            ErrorCode::Denied => (Kind::NotAllowed, "ztctl why NAME shows what you may do there".to_owned()),
            ErrorCode::ReasonRequired => (Kind::NotAllowed, "add --reason 'why'".to_owned()),
            ErrorCode::MfaRequired => (Kind::NotAllowed, mfa_hint(body.mfa, broker)),
            ErrorCode::WrongCode => (Kind::NotAllowed, "type the code that your app shows now".to_owned()),
            ErrorCode::ApprovalRequired => (
                Kind::NotAllowed,
                "ztctl request NAME --action ACTION --reason 'why' asks for it; ztctl why NAME shows for what".to_owned(),
            ),
            ErrorCode::Locked => {
                (Kind::NotAllowed, "an operator locked it: ask your platform team; ztctl ls shows what is there".to_owned())
            }
            ErrorCode::NotFound => (Kind::NotAllowed, "ztctl ls".to_owned()),
            ErrorCode::Ambiguous => return Self::ambiguous(body.message, &body.candidates),
            ErrorCode::Unsupported => (Kind::NotAllowed, String::new()),
            ErrorCode::AgentAway => (Kind::Failed, "try again in some seconds; ztctl ls shows what can be reached".to_owned()),
            ErrorCode::ClockSkew => (Kind::Failed, "ask whoever runs that machine to set its clock (NTP)".to_owned()),
            ErrorCode::InvalidRequest => (Kind::Usage, String::new()),
            ErrorCode::UpgradeRequired => {
                (Kind::Failed, "a proxy on the way passes neither upgrade: ask your platform team".to_owned())
            }
            ErrorCode::VersionMismatch => (Kind::Failed, "ztctl version".to_owned()),
            ErrorCode::RateLimited => (Kind::Failed, "wait a minute, then try again".to_owned()),
            ErrorCode::TooManySessions => {
                (Kind::Failed, "ztctl sessions shows them, and ztctl sessions end ID ends one".to_owned())
            }
            ErrorCode::Unavailable | ErrorCode::Internal => {
                (Kind::Failed, "try again; if it stays, tell your platform team".to_owned())
            }
            ErrorCode::JoinRefused | ErrorCode::Other => (Kind::Failed, String::new()),
        };
        let failure = Self::new(kind, body.code.as_str(), body.message);
        let again = body.code == ErrorCode::MfaRequired && body.mfa == Some(MfaWay::Login);
        let failure = if hint.is_empty() { failure } else { failure.hint(hint) };
        let failure = if again { failure.helped_by_login(broker) } else { failure };
        let failure = match body.break_glass {
            true => failure.hint("in an emergency --break-glass --reason 'why' goes in at once, and raises an alarm"),
            false => failure,
        };
        if body.code == ErrorCode::NotLoggedIn { failure.clock_hint(ahead) } else { failure }
    }

    /// More than one container matches what was typed; these are they.
    pub fn ambiguous(message: impl Into<String>, candidates: &[ContainerRow]) -> Self {
        let lines = candidates.iter().map(|row| {
            let place = if row.location.is_empty() { &row.agent } else { &row.location };
            format!("{}  {}  {place}", row.name, row.image)
        });
        Self::new(Kind::NotAllowed, "ambiguous", message)
            .detail(lines)
            .hint("use one of these names; on a terminal, ztctl shell lets you pick")
    }

    /// There is nothing that `user` may list.
    pub fn no_containers(user: Option<&str>) -> Self {
        Self::new(Kind::NotAllowed, "no_containers", no_containers(user)).hint("ztctl status shows who you are and your groups")
    }

    /// The broker's certificate authorities cannot be pinned, or differ from the pinned ones.
    pub fn pin(error: PinError, http: &Http) -> Self {
        let broker = http.url();
        match error {
            PinError::Http(error) => Self::http(error, broker, http.broker_ahead()),
            error @ PinError::Unusable => Self::new(Kind::Failed, "bad_answer", format!("{broker}: {error}")),
            PinError::Changed { pinned, offered, why } => {
                let missing = format!("{why}");
                let meaning =
                    "somebody may be putting other machines in the place of your containers, or the broker was set up anew";
                Self::new(Kind::Failed, "ca_changed", format!("THE CERTIFICATE AUTHORITIES OF {broker} HAVE CHANGED"))
                    .detail([
                        format!("pinned at login  {pinned}"),
                        format!("offered now      {offered}"),
                        missing,
                        meaning.to_owned(),
                    ])
                    .hint("ask your platform team, by another way than this network, whether the second line is right")
                    .hint(format!("only if it is: ztctl logout --broker {broker} && ztctl login {broker}"))
            }
        }
    }

    /// The two clocks differ too much for a certificate to be judged. `ahead` is how many seconds the broker's is ahead.
    pub fn clock(ahead: i64) -> Self {
        Self::new(Kind::Failed, "clock", clock_words(ahead)).hint("set this machine's clock: timedatectl set-ntp true")
    }

    /// A hint about the clocks, when they differ by more than any network explains.
    #[must_use]
    pub fn clock_hint(self, ahead: Option<i64>) -> Self {
        match ahead {
            Some(seconds) if seconds.unsigned_abs() > CLOCK_TOLERANCE => self.hint(clock_words(seconds)),
            _ => self,
        }
    }
}

/// What to do where nobody can be asked for a second factor in place.
fn mfa_hint(way: Option<MfaWay>, broker: &BrokerUrl) -> String {
    match way {
        Some(MfaWay::Totp) => "ztctl totp verify asks for a code; then try again".to_owned(),
        Some(MfaWay::Login | MfaWay::Other) => format!("ztctl login {broker} --mfa, then try again"),
        None => "ztctl totp enroll sets one up, in a login".to_owned(),
    }
}

/// What is said of a list that is not whole.
pub const INCOMPLETE: &str =
    "warning: the broker has just started, and not every agent is back: for half a minute containers may be missing";

/// Why a list may be empty.
pub fn no_containers(user: Option<&str>) -> String {
    let who = user.unwrap_or("this token");
    format!("no containers: nothing runs, or no policy lets {who} list what does")
}

fn clock_words(ahead: i64) -> String {
    let seconds = ahead.unsigned_abs();
    let amount = match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    };
    let side = if ahead > 0 { "behind" } else { "ahead of" };
    format!("this machine's clock is {amount} {side} the broker's")
}

/// Seconds of difference that are not worth a word: a certificate is good from 30 s before its making.
const CLOCK_TOLERANCE: u64 = 25;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tokens::TokenError;

    fn broker() -> BrokerUrl {
        "https://broker.example.com".parse().unwrap()
    }

    #[test]
    fn a_clock_is_named_by_its_side() {
        assert_eq!(Failure::clock(300).message(), "this machine's clock is 5 minutes behind the broker's");
        assert_eq!(Failure::clock(-40).message(), "this machine's clock is 40 seconds ahead of the broker's");
        let hints = |ahead| Failure::token(TokenError::Expired, &broker(), Some(ahead), false).hints().len();
        assert_eq!((hints(2), hints(-300)), (1, 2));
    }

    #[test]
    fn each_refusal_has_its_status_and_advice() {
        let of = |code| Failure::refused(ErrorBody::new(code, "no"), &broker(), None);
        assert_eq!(of(ErrorCode::NotFound).exit_status(false), 4);
        assert_eq!(of(ErrorCode::NotFound).exit_status(true), 255);
        assert_eq!(of(ErrorCode::NotLoggedIn).exit_status(false), 3);
        assert_eq!(of(ErrorCode::ReasonRequired).hints(), ["add --reason 'why'"]);
        assert_eq!(of(ErrorCode::ApprovalRequired).exit_status(false), 4);
        let glass = ErrorBody { break_glass: true, ..ErrorBody::new(ErrorCode::ApprovalRequired, "no") };
        assert!(Failure::refused(glass, &broker(), None).hints()[1].contains("--break-glass"));
        assert_eq!(of(ErrorCode::Unavailable).exit_status(false), 1);
    }

    #[test]
    fn a_private_root_is_the_advice_for_an_unknown_one() {
        let failure = Failure::http(HttpError::Tls(TlsProblem::UnknownIssuer), &broker(), None);
        assert!(failure.hints().iter().any(|hint| hint.contains("--ca FILE")));
    }
}
