//! What a program that has ended said.

use std::process::Output;

/// What a finished program said.
#[derive(Debug)]
pub struct Said {
    /// The exit status; 128 + n for a signal.
    pub code: i32,
    /// Standard output as text.
    pub stdout: String,
    /// Standard output as bytes.
    pub bytes: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
        Self {
            code: code.unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            bytes: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
