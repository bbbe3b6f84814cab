//! `ztctl cp`: files and folders, from a container or to it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Context;
use super::access::Access;
use super::args::CpArgs;
use super::asking;
use super::failure::{Failure, Kind};
use super::ui::Ui;
use crate::client::copy::{self, CopyError, Options, Watch};
use crate::client::resolve::Choice;
use crate::harmless::harmless;
use crate::proto::name::Target;

/// Copies, and says what was left out.
pub(super) async fn run(context: &mut Context, args: CpArgs) -> Result<ExitCode, Failure> {
    let CpArgs { mut paths, preserve, resume, quiet, entry } = args;
    let to = paths.pop().ok_or_else(nothing_to_copy)?;
    let errand = Errand::of(&paths, &to)?;
    let access = Access::open(context).await?;
    let failure = |error| Failure::session(error, &access.api);
    let entry = context.entry(entry);
    let request = Choice::typed(errand.container().clone()).copy(entry);
    let session = asking::session(&context.ui, &access, request).await.map_err(|error| error.failure(&access))?;
    let remote = session.files().await.map_err(failure)?;
    let mut progress = Progress::new(context.ui.clone(), !quiet && std::io::stderr().is_terminal());
    let options = Options { preserve, resume };
    let work = async {
        match &errand {
            Errand::Fetch { from, to, .. } => {
                for from in from {
                    copy::fetch(&remote, from, to, options, &mut progress).await?;
                }
            }
            Errand::Send { from, to, .. } => {
                for from in from {
                    copy::send(&remote, from, to, options, &mut progress).await?;
                }
            }
        }
        Ok(())
    };
    let done = tokio::select! {
        done = session.with_files(work, |news| context.ui.note(&format!("ztctl: {news}"))) => done,
        _ = tokio::signal::ctrl_c() => {
            progress.clear();
            context.ui.note(UNFINISHED);
            return Err(Failure::interrupted());
        }
    };
    progress.clear();
    match done.map_err(|error| failure(error).hint(UNFINISHED))? {
        Err(error) => Err(failed(error)),
        Ok(()) if progress.skipped > 0 => {
            let files =
                if progress.skipped == 1 { "1 file was".to_owned() } else { format!("{} files were", progress.skipped) };
            Err(Failure::new(Kind::Failed, "incomplete", format!("{files} not copied, all else is")))
        }
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// What is to be copied.
#[derive(Debug, PartialEq, Eq)]
enum Errand {
    Fetch { container: Target, from: Vec<String>, to: PathBuf },
    Send { container: Target, from: Vec<PathBuf>, to: String },
}

impl Errand {
    fn of(from: &[String], to: &str) -> Result<Self, Failure> {
        let sides: Vec<Side> = from.iter().map(|path| Side::of(path)).collect::<Result<_, _>>()?;
        if sides.is_empty() {
            return Err(nothing_to_copy());
        }
        let several = sides.len() > 1;
        match Side::of(to)? {
            Side::Here(to) => {
                let mut all = Vec::new();
                let mut only = None;
                for side in sides {
                    let Side::There(container, path) = side else { return Err(both("here")) };
                    if only.as_ref().is_some_and(|only| *only != container) {
                        return Err(usage("one copy is from one container"));
                    }
                    only = Some(container);
                    all.push(path);
                }
                if several && !to.is_dir() {
                    return Err(usage(&format!("{} is no folder, and several files are to go there", to.display())));
                }
                Ok(Self::Fetch { container: only.ok_or_else(nothing_to_copy)?, from: all, to })
            }
            Side::There(container, to) => {
                let mut all = Vec::new();
                for side in sides {
                    let Side::Here(path) = side else { return Err(both("in containers")) };
                    all.push(path);
                }
                // A folder that has to be there, as the other side can tell.
                let to = if several && !to.ends_with('/') && !to.is_empty() { format!("{to}/") } else { to };
                Ok(Self::Send { container, from: all, to })
            }
        }
    }

    fn container(&self) -> &Target {
        match self {
            Self::Fetch { container, .. } | Self::Send { container, .. } => container,
        }
    }
}

/// One argument.
enum Side {
    Here(PathBuf),
    There(Target, String),
}

impl Side {
    /// `NAME:PATH` is in a container; what has a slash before its colon is not, nor is a drive of Windows.
    fn of(text: &str) -> Result<Self, Failure> {
        match text.split_once(':') {
            Some((name, path)) if !name.contains('/') && !name.is_empty() && !is_drive(name, path) => {
                let name = name.parse().map_err(|error| {
                    usage(&format!("{name} cannot be a container's name: {error}"))
                        .hint(format!("for a file of this machine: ./{text}"))
                })?;
                Ok(Self::There(name, path.to_owned()))
            }
            _ => Ok(Self::Here(text.into())),
        }
    }
}

fn is_drive(name: &str, path: &str) -> bool {
    cfg!(windows) && (name.len() == 1 && path.starts_with(['\\', '/']) || name.contains('\\'))
}

/// The bar, and what was left out.
struct Progress {
    ui: Ui,
    bar: ProgressBar,
    skipped: usize,
}

impl Progress {
    fn new(ui: Ui, shown: bool) -> Self {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self { ui, bar, skipped: 0 }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Progress {
    fn expect(&mut self, bytes: u64) {
        self.bar.inc_length(bytes);
    }

    fn begin(&mut self, path: &str) {
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        self.bar.set_message(harmless(&name).into_owned());
    }

    fn done(&mut self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn skip(&mut self, path: &str, why: &str) {
        self.skipped += 1;
        self.bar.suspend(|| self.ui.note(&format!("ztctl: {path} is not copied: {why}")));
    }
}

fn failed(error: CopyError) -> Failure {
    let failure = Failure::new(Kind::Failed, "copy", error.to_string());
    match &error {
        CopyError::Local { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            failure.hint("free some space here and copy again")
        }
        CopyError::Remote { why, .. } if why.contains("No space left") => failure.hint("the container's disk is full"),
        CopyError::Remote { why, .. } if why == "permission denied" => {
            failure.hint("--user NAME copies as another user, where that is allowed")
        }
        _ => failure,
    }
}

fn usage(message: &str) -> Failure {
    Failure::new(Kind::Usage, "usage", message)
}

fn both(place: &str) -> Failure {
    usage(&format!("both sides are {place}: one of them is NAME:PATH, the other a path of this machine"))
}

fn nothing_to_copy() -> Failure {
    usage("ztctl cp FROM... TO").hint("ztctl cp NAME:/var/log/app.log .")
}

const UNFINISHED: &str = "what was copied of the last file is kept: the same command with --resume goes on";

const TEMPLATE: &str = "{wide_msg} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left";

const TICK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_is_a_container_and_the_other_is_not() {
        let errand = |from: &[&str], to: &str| Errand::of(&from.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>(), to);
        let web: Target = "web-7f9".parse().unwrap();
        let fetch = Errand::Fetch { container: web.clone(), from: vec!["/var/log".into()], to: "logs".into() };
        assert_eq!(errand(&["web-7f9:/var/log"], "logs").unwrap(), fetch);
        let send = Errand::Send { container: web, from: vec!["./a:b".into(), "c".into()], to: "/tmp/".into() };
        assert_eq!(errand(&["./a:b", "c"], "web-7f9:/tmp").unwrap(), send);
        for (from, to) in
            [(vec!["a"], "b"), (vec!["x:/a"], "y:/b"), (vec!["x:/a", "y:/b"], "."), (vec![], "x:"), (vec!["A B:c"], ".")]
        {
            assert_eq!(errand(&from, to).unwrap_err().kind(), Kind::Usage, "{from:?} {to}");
        }
    }
}
