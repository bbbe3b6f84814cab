//! What can go wrong on the way to the broker, told apart so that each has its own advice.

use std::error::Error;
use std::io;

use rustls::{CertificateError, OtherError};

use crate::transport::tls::OtherRoot;

/// Why there is no answer, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client itself could not be made: the roots or the proxy.
    #[error("{0}")]
    Setup(String),
    /// No connection, or no answer on it.
    #[error("{0}")]
    Unreachable(Unreachable),
    /// The broker's TLS certificate is not believed.
    #[error("{0}")]
    Tls(TlsProblem),
    /// The answer is longer than such an answer can be.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Something answered, but not as a broker does.
    #[error("the answer (HTTP status {status}) is not a broker's")]
    Unexpected {
        /// The HTTP status.
        status: u16,
    },
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The host's name has no address.
    #[error("its name has no address")]
    Name,
    /// Nothing listens there.
    #[error("nothing listens there")]
    Refused,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The proxy did not let us through.
    #[error("the proxy does not let us through: {0}")]
    Proxy(String),
    /// The connection was made and then cut.
    #[error("the connection was cut")]
    Cut,
    /// What else the system says.
    #[error("{0}")]
    Other(String),
}

/// Why the broker's TLS certificate is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsProblem {
    /// No trusted root vouches for it.
    #[error("nobody that is trusted here vouches for its TLS certificate")]
    UnknownIssuer,
    /// The root whose fingerprint is wanted is not shown.
    #[error("{OtherRoot}")]
    OtherRoot,
    /// It is for another name.
    #[error("its TLS certificate is for another name")]
    WrongName,
    /// It has expired or is not valid yet: its fault, or our clock's.
    #[error("its TLS certificate has expired or is not valid yet")]
    Window,
    /// What else TLS says.
    #[error("TLS failed: {0}")]
    Other(String),
}

impl HttpError {
    /// What a failed request of reqwest means: its errors nest four deep, and the reason is the innermost.
    pub(crate) fn classify(error: &reqwest::Error) -> Self {
        let mut text = error.to_string();
        let mut proxy = false;
        let mut source: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(tls) = rustls_error(cause) {
                return Self::Tls(TlsProblem::of(tls));
            }
            text = cause.to_string();
            if text.starts_with("dns error") {
                return Self::Unreachable(Unreachable::Name);
            }
            proxy |= text.contains("tunnel") || text.contains("proxy");
            if let Some(cause) = cause.downcast_ref::<io::Error>() {
                match cause.kind() {
                    _ if proxy => {}
                    io::ErrorKind::ConnectionRefused => return Self::Unreachable(Unreachable::Refused),
                    io::ErrorKind::TimedOut => return Self::Unreachable(Unreachable::Timeout),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
                        return Self::Unreachable(Unreachable::Cut);
                    }
                    _ => {}
                }
            }
            source = cause.source();
        }
        Self::Unreachable(match () {
            () if proxy => Unreachable::Proxy(text),
            () if error.is_timeout() => Unreachable::Timeout,
            () if error.is_request() && !error.is_connect() => Unreachable::Cut,
            () => Unreachable::Other(text),
        })
    }
}

impl TlsProblem {
    fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(problem) => match problem {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::Window,
                CertificateError::Other(OtherError(other)) if other.is::<OtherRoot>() => Self::OtherRoot,
                other => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

/// The rustls error that `cause` is or, as an I/O error, carries.
fn rustls_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    cause.downcast_ref::<rustls::Error>().or_else(|| {
        let mut inner: &(dyn Error + 'static) = cause.downcast_ref::<io::Error>()?.get_ref()?;
        // An I/O error within an I/O error, at most as deep as any library nests them.
        for _ in 0..4 {
            match inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(deeper) => inner = deeper,
                None => break,
            }
        }
        inner.downcast_ref::<rustls::Error>()
    })
}
