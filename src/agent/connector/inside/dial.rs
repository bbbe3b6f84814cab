//! A connection from inside a container that can only be reached by somebody else's exec: whatever the container has that can open one.

use std::sync::LazyLock;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::agent::program::Asked;
use crate::proto::command::quote;

/// What is to run in the container.
pub(in crate::agent) fn command(host: &str, port: u16) -> Asked {
    Asked::Command(quote(["sh", "-c", &DIAL, "sh", host, &port.to_string()]))
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::agent) enum NotDialled {
    /// The container has nothing for it.
    #[error("nothing in this container can open a connection (looked for python3, perl, socat, nc and bash)")]
    NoTool,
    /// What it has could not.
    #[error("it could not be opened from inside the container")]
    Failed,
}

/// Reads what [`command`] says first, and not a byte more.
///
/// # Errors
/// [`NotDialled`].
pub(in crate::agent) async fn opened<R: AsyncRead + Unpin>(output: &mut R) -> Result<(), NotDialled> {
    let mut word = [0; 5];
    output.read_exact(&mut word).await.map_err(|_| NotDialled::Failed)?;
    match &word {
        b"open\n" => Ok(()),
        b"none\n" => Err(NotDialled::NoTool),
        _ => Err(NotDialled::Failed),
    }
}

static DIAL: LazyLock<String> = LazyLock::new(|| {
    // Other languages' lines keep their indentation.
    let script = include_str!("dial.sh");
    script.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
});
