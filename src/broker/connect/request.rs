//! A connect request as it stands in the header: bounded, decoded, and only then believed to be one.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::proto::agent::ChannelReport;
use crate::proto::api::{CONNECT_HEADER, CONNECT_LIMIT, ConnectRequest, LINK_RAW};
use crate::proto::name::{Login, Target};
use crate::proto::{Action, Actions, ContainerId, ErrorBody, ErrorCode};
use crate::ssh::{PublicKey, public_key};

/// A well-formed wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker) struct Asked {
    pub(super) as_typed: Target,
    pub(super) container: Option<ContainerId>,
    pub(super) login: Login,
    pub(super) public_key: PublicKey,
    /// What has to be allowed, `list` not among it.
    pub(in crate::broker) actions: Actions,
    /// What is wished for beside it, as far as it is allowed. At least one of both.
    pub(in crate::broker) optional: Actions,
    pub(super) command: Option<String>,
    /// Not blank, without control characters.
    pub(in crate::broker) reason: Option<String>,
    /// To which statement about the authorities the client has come, if it knows any.
    pub(super) ca: Option<u64>,
    pub(super) break_glass: bool,
}

impl Asked {
    /// What the header asks for.
    pub(in crate::broker) fn from_headers(headers: &HeaderMap) -> Result<Self, ErrorBody> {
        let invalid = |message: &str| ErrorBody::new(ErrorCode::InvalidRequest, message);
        let mut values = headers.get_all(CONNECT_HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(invalid("one ztctl-connect header is expected"));
        };
        if value.len() > CONNECT_LIMIT.div_ceil(3) * 4 {
            return Err(invalid("the connect request has more than 4096 bytes"));
        }
        let json = URL_SAFE_NO_PAD.decode(value).map_err(|_| invalid("the connect request is not base64url"))?;
        let request: ConnectRequest =
            serde_json::from_slice(&json).map_err(|error| invalid(&format!("the connect request cannot be read: {error}")))?;
        if !request.link.iter().any(|link| link == LINK_RAW) {
            return Err(ErrorBody::new(
                ErrorCode::VersionMismatch,
                format!("this broker's link is {LINK_RAW}: upgrade the older side"),
            ));
        }
        let (actions, optional) = (&request.actions, &request.optional);
        if actions.is_empty() && optional.is_empty() || actions.allow(Action::List) || optional.allow(Action::List) {
            return Err(invalid("the actions of a connect are among shell, exec, logs, copy and forward"));
        }
        if request.command.is_some() && !request.actions.allow(Action::Exec) {
            return Err(invalid("a command needs the action exec"));
        }
        if request.command.as_deref().is_some_and(|command| command.is_empty() || command.contains('\0')) {
            return Err(invalid("the command is empty or holds a zero byte"));
        }
        let reason = request.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        if reason.as_deref().is_some_and(|reason| reason.chars().any(char::is_control) || reason.len() > REASON) {
            return Err(invalid("a reason is one line of at most 1000 bytes"));
        }
        Ok(Self {
            as_typed: request.as_typed,
            container: request.container,
            login: request.login,
            public_key: public_key(&request.public_key).map_err(|error| invalid(&error.to_string()))?,
            actions: request.actions,
            optional: request.optional,
            command: request.command,
            ca: request.ca,
            reason,
            break_glass: request.break_glass,
        })
    }

    /// What the audit event of the session already tells, so that the agent need not ask again.
    pub(super) fn declared(&self, granted: &Actions) -> Vec<ChannelReport> {
        match &self.command {
            // A certificate with one command runs that and nothing else.
            Some(command) => vec![ChannelReport::Exec { command: command.clone() }],
            None => {
                let channels = [
                    (Action::Shell, ChannelReport::Shell),
                    (Action::Logs, ChannelReport::Logs),
                    (Action::Copy, ChannelReport::Copy),
                ];
                channels.into_iter().filter(|(action, _)| granted.allow(*action)).map(|(_, channel)| channel).collect()
            }
        }
    }
}

/// The most bytes of a reason.
const REASON: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::{new_key, public_line};
    use serde_json::json;

    fn read(request: &serde_json::Value) -> Result<Asked, ErrorBody> {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECT_HEADER, URL_SAFE_NO_PAD.encode(request.to_string()).parse().unwrap());
        Asked::from_headers(&headers)
    }

    fn request() -> serde_json::Value {
        let key = public_line(new_key().unwrap().public_key()).unwrap();
        json!({"as_typed": "tomcat-7f9", "login": "default", "public_key": key, "actions": ["shell"], "link": ["raw2", "raw1"]})
    }

    #[test]
    fn a_request_is_read() {
        let asked = read(&request()).unwrap();
        assert_eq!((asked.as_typed.as_str(), asked.declared(&asked.actions)), ("tomcat-7f9", vec![ChannelReport::Shell]));
        let mut with_command = request();
        with_command["actions"] = json!(["shell", "exec"]);
        with_command["command"] = json!("id");
        with_command["reason"] = json!("  ");
        let asked = read(&with_command).unwrap();
        assert_eq!(asked.declared(&asked.actions), [ChannelReport::Exec { command: "id".into() }]);
        assert_eq!(asked.reason, None);
    }

    #[test]
    fn what_is_not_one_is_refused() {
        let changes = [
            ("as_typed", json!("../x"), ErrorCode::InvalidRequest),
            ("as_typed", json!("x".repeat(5000)), ErrorCode::InvalidRequest),
            ("login", json!("-oProxyCommand"), ErrorCode::InvalidRequest),
            ("public_key", json!("ssh-rsa AAAA"), ErrorCode::InvalidRequest),
            ("actions", json!([]), ErrorCode::InvalidRequest),
            ("actions", json!(["list"]), ErrorCode::InvalidRequest),
            ("optional", json!(["list"]), ErrorCode::InvalidRequest),
            ("command", json!("id"), ErrorCode::InvalidRequest),
            ("reason", json!("a\u{1b}[2J"), ErrorCode::InvalidRequest),
            ("link", json!(["raw2"]), ErrorCode::VersionMismatch),
        ];
        for (field, value, code) in changes {
            let mut request = request();
            request[field] = value;
            assert_eq!(read(&request).unwrap_err().code, code, "{field}");
        }
        assert!(Asked::from_headers(&HeaderMap::new()).is_err());
    }
}
