//! The log on stderr: one event a line, whatever the text in it.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::harmless;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what stops something from working
    Error,
    /// And what may soon
    Warn,
    /// And what a quiet day consists of
    Info,
    /// And what helps to find a mistake
    Debug,
}

/// Starts to log what is this program's own. Libraries only warn: what they tell of their requests has users' commands in it.
pub fn start(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let ours = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        // It logs each refusal of a cluster, which whoever asked is told as well.
        .with_target("kube_client", LevelFilter::OFF)
        .with_default(level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(OneLine).with_ansi(false).with_target(false);
    // Only a program that logs already refuses, and then it does log.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
}

/// Writes each event, which arrives whole, as one line: a name with a line end in it must not forge another event.
#[derive(Debug, Clone, Copy)]
struct OneLine;

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(one_line(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn one_line(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.trim_end_matches('\n').chars() {
        if harmless::acts(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        assert_eq!(
            one_line(b"agent web\n2026 INFO all is well\x1b[2J joined\n"),
            "agent web\\n2026 INFO all is well\\u{1b}[2J joined\n"
        );
        assert_eq!(one_line("\u{9b}31m é\n".as_bytes()), "\\u{9b}31m é\n");
        assert_eq!(one_line("a\u{202e}b\u{2028}2026 INFO".as_bytes()), "a\\u{202e}b\\u{2028}2026 INFO\n");
    }
}
