//! Where a password comes from: typed twice at a terminal, or one line of stdin.

use std::io::{self, BufRead, IsTerminal};

use super::failure::Failure;
use crate::proto::Secret;
use crate::proto::name::Account;

/// Asks for the password of `user`. Never from an argument: arguments are for everybody to see.
pub(super) async fn ask(user: &Account) -> Result<Secret<String>, Failure> {
    let prompt = format!("password for {user}");
    let asked =
        tokio::task::spawn_blocking(move || if io::stdin().is_terminal() { typed(&prompt) } else { line(io::stdin().lock()) });
    asked.await.unwrap_or_else(|_| Err(Failure::interrupted()))
}

fn typed(prompt: &str) -> Result<Secret<String>, Failure> {
    let asked =
        dialoguer::Password::new().with_prompt(prompt).with_confirmation("once more", "the two are not the same").interact();
    match asked {
        Ok(password) => Ok(Secret::new(password)),
        Err(dialoguer::Error::IO(error)) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::interrupted()),
        Err(error) => Err(Failure::new(format!("the password cannot be read: {error}"))),
    }
}

fn line(input: impl BufRead) -> Result<Secret<String>, Failure> {
    // Large enough from the start, so that no copy is left behind where it grew.
    let mut bytes = Vec::with_capacity(LIMIT + 1);
    let outcome = input.take(LIMIT as u64 + 1).read_until(b'\n', &mut bytes);
    let read = Secret::new(bytes);
    outcome.map_err(|error| Failure::new(format!("the password cannot be read: {error}")))?;
    let text = std::str::from_utf8(read.expose()).map_err(|_| Failure::new("the password is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() || text.len() >= LIMIT {
        let failure = Failure::new("a password is expected as one line on stdin");
        return Err(failure.hint("printf '%s\\n' \"$PASSWORD\" | ztbroker user add NAME"));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Longer ones the broker refuses anyway.
const LIMIT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        for text in ["correct horse\n", "correct horse\r\n", "correct horse", "correct horse\nmore"] {
            assert_eq!(line(text.as_bytes()).unwrap().expose(), "correct horse", "{text:?}");
        }
        for text in ["", "\n", "\u{0}\u{0}".repeat(LIMIT).as_str()] {
            assert!(line(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(line(&b"\xff\n"[..]).is_err());
    }
}
