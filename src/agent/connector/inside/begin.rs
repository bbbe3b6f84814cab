//! The beginning of a session's process by somebody else's exec, the same for all of them: by the first shell that the container has,
//! on a terminal that has its size before anything looks at it; or by itself, where there is no shell.

use std::io::Cursor;
use std::pin::pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{NotReady, NotStarted, Ready, Shells, Start};
use crate::agent::connector::{Request, StartError};
use crate::agent::environment::Variables;
use crate::agent::process::{Input, Output, Size};
use crate::agent::program::{Asked, NoShell};
use crate::agent::sweep::Leader;
use crate::proto::command;

/// Whoever executes things in one container.
pub(in crate::agent) trait Execs {
    /// What it knows of a running exec.
    type Run;

    /// Executes `words` for the session, on a terminal if it asked for one. `bare` when no shell is in between, so that what is said
    /// of a program that is not there is for the user.
    async fn exec(&self, words: Vec<String>, bare: bool) -> Result<Begun<Self::Run>, StartError>;

    /// Gives the exec's terminal a size.
    async fn resize(&self, run: &Self::Run, size: Size) -> Result<(), StartError>;

    /// What it means that `said` came in place of the first process's word.
    async fn refusal(&self, said: String, run: Self::Run) -> Refusal;
}

/// An exec that has begun.
pub(in crate::agent) struct Begun<R> {
    pub(in crate::agent) stdin: Input,
    pub(in crate::agent) stdout: Output,
    pub(in crate::agent) stderr: Option<Output>,
    pub(in crate::agent) run: R,
}

/// Why the first process did not speak.
#[derive(Debug)]
pub(in crate::agent) enum Refusal {
    /// The container has no such file.
    NotThere,
    /// Something else, and the next attempt would do no better.
    Final(StartError),
}

impl Refusal {
    /// What container engines say of a file that they cannot execute.
    pub(in crate::agent) fn is_missing_file(said: &str) -> bool {
        let missing = ["not found", "no such file", "permission denied", "not a directory"];
        let said = said.to_lowercase();
        missing.iter().any(|words| said.contains(words))
    }
}

/// What engines say of a start that failed, in place of the output of a program without a shell in front of it.
pub(in crate::agent) const NOT_STARTED: &[u8] = b"OCI runtime exec failed";

/// The same in better words, as a line.
pub(in crate::agent) fn no_program(program: &str) -> String {
    format!("ztctl: there is no program {program} in this container, and no shell\n")
}

/// Begins what `request` asks for in the container that the runtime calls `container`. `exports` is for whoever cannot give an exec its
/// environment. The first process is told where it spoke.
///
/// # Errors
/// [`StartError`], whose text the user reads.
pub(in crate::agent) async fn begin<E: Execs>(
    engine: &E,
    shells: &Shells,
    container: &str,
    request: &Request<'_>,
    exports: &Variables,
) -> Result<(Begun<E::Run>, Option<Leader>), StartError> {
    let start = Start::new(request.asked, exports, request.terminal.is_some())?;
    for (index, shell) in shells.to_try(container) {
        match by_shell(engine, &start, shell, request.terminal).await {
            Ok((begun, leader)) => {
                shells.found(container, index);
                return Ok((begun, Some(leader)));
            }
            Err(Refusal::NotThere) => {}
            Err(Refusal::Final(error)) => return Err(error),
        }
    }
    shells.none(container);
    let Asked::Command(line) = request.asked else { return Err(NoShell.into()) };
    let words = command::unquote(line).ok_or(NoShell)?;
    let words = words.into_iter().map(String::from_utf8).collect::<Result<_, _>>().map_err(|_| NotStarted::NotText)?;
    let begun = engine.exec(words, true).await?;
    if let Some(size) = request.terminal {
        engine.resize(&begun.run, size).await?;
    }
    Ok((begun, None))
}

async fn by_shell<E: Execs>(
    engine: &E,
    start: &Start,
    shell: &[&str],
    terminal: Option<Size>,
) -> Result<(Begun<E::Run>, Leader), Refusal> {
    let failed = |error: NotReady| Refusal::Final(NotStarted::from(error).into());
    let mut begun = engine.exec(start.words(shell), false).await.map_err(Refusal::Final)?;
    let leader = match first_word(start, &mut begun).await {
        Ok(ready) => ready.leader,
        Err(NotReady::Said(said)) => return Err(engine.refusal(said, begun.run).await),
        Err(error) => return Err(failed(error)),
    };
    if let Some(size) = terminal {
        engine.resize(&begun.run, size).await.map_err(Refusal::Final)?;
        let opened = async {
            begun.stdin.write_all(b"\n").await?;
            begun.stdin.flush().await
        };
        opened.await.map_err(|error| failed(error.into()))?;
        start.skip_echo(&mut begun.stdout).await.map_err(failed)?;
    }
    Ok((begun, leader))
}

/// What the first process says. The error output comes over the same connection and may be ahead of it: where nobody read that, the word
/// would not come either. What has come of it meanwhile is kept in front of the rest.
async fn first_word<R>(start: &Start, begun: &mut Begun<R>) -> Result<Ready, NotReady> {
    let Some(mut stderr) = begun.stderr.take() else { return start.ready(&mut begun.stdout).await };
    let (mut early, mut open) = (Vec::new(), true);
    let word = {
        let mut word = pin!(start.ready(&mut begun.stdout));
        loop {
            tokio::select! {
                biased;
                word = &mut word => break word,
                read = stderr.read_buf(&mut early), if open && early.len() < EARLY => open = matches!(read, Ok(1..)),
            }
        }
    };
    begun.stderr = Some(if early.is_empty() { stderr } else { Box::new(Cursor::new(early).chain(stderr)) });
    word
}

/// The most bytes of error output that are kept before the first process has spoken.
const EARLY: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// An engine whose one connection has a megabyte of error output before the first process's word.
    struct Late;

    impl Execs for Late {
        type Run = ();

        async fn exec(&self, words: Vec<String>, _: bool) -> Result<Begun<()>, StartError> {
            let nonce = words.into_iter().find(|word| word.starts_with("ztctl-")).unwrap();
            let ((stdout, mut to_stdout), (stderr, mut to_stderr)) = (duplex(64), duplex(64));
            tokio::spawn(async move {
                to_stderr.write_all(&vec![b'e'; 1 << 20]).await.unwrap();
                to_stdout.write_all(format!("{nonce} 7 42\noutput").as_bytes()).await.unwrap();
                drop(to_stdout);
                to_stderr.write_all(b"tail").await.unwrap();
            });
            Ok(Begun { stdin: Box::new(tokio::io::sink()), stdout: Box::new(stdout), stderr: Some(Box::new(stderr)), run: () })
        }

        async fn resize(&self, (): &(), _: Size) -> Result<(), StartError> {
            Ok(())
        }

        async fn refusal(&self, said: String, (): ()) -> Refusal {
            panic!("{said}")
        }
    }

    #[tokio::test]
    async fn error_output_ahead_of_the_first_word_neither_holds_it_up_nor_is_lost() {
        let start = Start::new(&Asked::Shell, &Variables::new(), false).unwrap();
        let (mut begun, leader) = by_shell(&Late, &start, &["sh"], None).await.unwrap();
        assert_eq!((leader.pid, leader.started), (7, 42));
        let (mut output, mut errors) = (String::new(), Vec::new());
        begun.stdout.read_to_string(&mut output).await.unwrap();
        begun.stderr.unwrap().read_to_end(&mut errors).await.unwrap();
        assert_eq!((output.as_str(), errors.len(), &errors[1 << 20..]), ("output", (1 << 20) + 4, b"tail".as_slice()));
    }
}
