//! Files to and from a container, by SFTP over a session.
//!
//! A file is written under a name of its own beside the final one, and gets that when it is whole: nobody ever sees half of it, and an
//! interrupted copy can be resumed. Where it replaces a file it has that one's mode (but for a copy that preserves its own), and its owner
//! where we may give it. Links are made as links and never followed on the way down, on either side, so that what one side chooses to call
//! a folder leads nowhere else on the other. Names from the other side are checked before they become paths.
//!
//! | module | owns |
//! | --- | --- |
//! | [`Remote`] | the container's files: requests, in words that people read |
//! | `fetch` | from there to here |
//! | `send` | from here to there |
//! | `local` | what a mode, a link and a name are on this system |

mod fetch;
mod local;
mod remote;
mod send;

use std::io;
use std::path::{Path, PathBuf};

pub use remote::Remote;

/// How to copy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Keep modes and times.
    pub preserve: bool,
    /// Go on with what an earlier copy left.
    pub resume: bool,
}

/// Whoever watches.
pub trait Watch {
    /// So many more bytes will be copied.
    fn expect(&mut self, bytes: u64);

    /// A file begins.
    fn begin(&mut self, path: &str);

    /// So many bytes have been copied, or were there already.
    fn done(&mut self, bytes: u64);

    /// Something was left out, and the rest goes on.
    fn skip(&mut self, path: &str, why: &str);
}

/// Why the copy has ended.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A file here.
    #[error("{}: {}", path.display(), plain(source))]
    Local {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file there.
    #[error("{path} in the container: {why}")]
    Remote {
        /// Which.
        path: String,
        /// What the other side says.
        why: String,
    },
    /// The conversation.
    #[error("the connection was lost")]
    Lost,
}

impl CopyError {
    fn local(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Local { path: path.to_owned(), source }
    }
}

/// Copies `from`, a file or a folder of the container, to `to`: into it, where that is a folder.
///
/// # Errors
/// [`CopyError`]. What could not be copied of a folder is told to `watch`, and the rest is there.
pub async fn fetch(remote: &Remote, from: &str, to: &Path, options: Options, watch: &mut dyn Watch) -> Result<(), CopyError> {
    fetch::fetch(remote, from, to, options, watch).await
}

/// Copies `from`, a file or a folder of this machine, to `to`: into it, where that is a folder.
///
/// # Errors
/// [`CopyError`], as [`fetch()`].
pub async fn send(remote: &Remote, from: &Path, to: &str, options: Options, watch: &mut dyn Watch) -> Result<(), CopyError> {
    send::send(remote, from, to, options, watch).await
}

/// The name under which `name` is written until it is whole.
fn part(name: &str) -> String {
    format!(".{name}.ztctl-part")
}

/// What the system says without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Why nothing is put where something else than a file is.
const NO_FILE: &str = "it is a device, a pipe or a socket: a file would take its place";

/// One request's bytes: several SSH packets, well below what the other side takes.
const CHUNK: u32 = 128 * 1024;

/// Requests under way: two megabytes, enough for 40 MB/s over 50 ms.
const AT_ONCE: usize = 16;

/// How much of the end of an interrupted copy is compared before it is gone on with.
const COMPARED: u32 = 64 * 1024;

/// The right to write, which a file has while it is being written.
const OWNER_WRITES: u32 = 0o200;
