//! The only printer: standard output for results, standard error for the rest.
//!
//! All text that came from elsewhere is made harmless on its way out, colour is for terminals whose owner did not refuse it,
//! and a reader that went away ends the program silently.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use super::environment::refuses_colour;
use super::failure::{Failure, Kind};
use super::table::Table;
use crate::client::config::Colour;
use crate::client::terminal::tty::{keyboard, speaks_escapes};
use crate::client::trace::Trace;
use crate::harmless::{escaped, harmless};

/// Where and how to print. Cheap to clone: it holds no buffer.
#[derive(Debug, Clone)]
pub struct Ui {
    /// The width of the terminal that standard output is, if it is one.
    width: Option<usize>,
    /// Whether standard output takes colour.
    colour_out: bool,
    /// Whether standard error takes colour.
    colour: bool,
    /// Whether errors are JSON.
    json: bool,
    /// Whether a person can be asked: standard input and standard error are terminals.
    interactive: bool,
    /// Whether standard error is a terminal.
    watched: bool,
}

impl Ui {
    /// The process's own streams. With `json`, errors are JSON.
    pub fn system(json: bool, colour: Colour) -> Self {
        let width = io::stdout().is_terminal().then(|| crossterm::terminal::size().map_or(80, |(columns, _)| columns.into()));
        let error_is_terminal = io::stderr().is_terminal();
        let coloured = |terminal: bool| match colour {
            Colour::Auto => terminal && !refuses_colour() && speaks_escapes(),
            Colour::Always => true,
            Colour::Never => false,
        };
        let colour = coloured(error_is_terminal);
        // The list to pick from is drawn there.
        dialoguer::console::set_colors_enabled_stderr(colour);
        Self {
            width,
            colour_out: coloured(width.is_some()),
            colour,
            json,
            interactive: error_is_terminal && io::stdin().is_terminal(),
            watched: error_is_terminal,
        }
    }

    /// Whether a person can be asked something.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Whether a failure may become a question: a person is there, and no program reads the errors.
    pub fn asks(&self) -> bool {
        self.interactive && !self.json
    }

    /// The same for what is asked at the terminal even where standard input is a pipe or a file, as `ssh` asks for a password there.
    pub fn asks_at_terminal(&self) -> bool {
        !self.json && self.can_ask_at_terminal()
    }

    /// Whether a person is at the terminal, whatever standard input is.
    pub fn can_ask_at_terminal(&self) -> bool {
        self.interactive || self.watched && keyboard().is_ok()
    }

    /// Asks a question, which ends in a space; an empty answer is `usual`. The terminal stays as it is, so Ctrl-C is what it always is.
    ///
    /// # Errors
    /// [`Failure::interrupted`] when the person leaves it.
    pub async fn ask(&self, question: &str, usual: bool) -> Result<bool, Failure> {
        Ok(match self.answer(question).await?.as_str() {
            "" => usual,
            yes => yes.eq_ignore_ascii_case("y") || yes.eq_ignore_ascii_case("yes"),
        })
    }

    /// Asks for a line of text, again until there is something in it.
    ///
    /// # Errors
    /// As [`Ui::ask`].
    pub async fn ask_line(&self, question: &str) -> Result<String, Failure> {
        loop {
            let line = self.answer(question).await?;
            if !line.is_empty() {
                return Ok(line);
            }
        }
    }

    /// Asks for a line, without the spaces around it; at the terminal where standard input is something else. It is seen as it is typed: what
    /// counts once need not be hidden.
    ///
    /// # Errors
    /// As [`Ui::ask`], and when nobody answers at a terminal that is not standard input.
    pub async fn answer(&self, question: &str) -> Result<String, Failure> {
        self.err(&harmless(question));
        let here = self.interactive;
        let answer = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let read = if here { io::stdin().read_line(&mut line) } else { BufReader::new(keyboard()?).read_line(&mut line) };
            read.map(|length| (length > 0).then_some(line))
        });
        let answer = tokio::select! {
            answer = answer => answer,
            _ = tokio::signal::ctrl_c() => return Err(Failure::interrupted()),
            // Stock `ssh` cannot say that it is in a script that nobody watches.
            () = tokio::time::sleep(PATIENCE), if !here => {
                self.err("\n");
                return Err(Failure::new(Kind::Usage, "no_answer", "nobody answers at the terminal"));
            }
        };
        match answer {
            Ok(Ok(Some(line))) => Ok(line.trim().to_owned()),
            _ => {
                self.err("\n");
                Err(Failure::interrupted())
            }
        }
    }

    /// Where the time of the way went, as far as it got.
    pub fn timing(&self, trace: &Trace) {
        let (parts, whole) = trace.steps();
        for (name, took) in &parts {
            let means = PARTS.iter().find(|(part, _)| part == name).map_or("", |(_, means)| means);
            self.err(&format!("{:9.1} ms  {name:<11} {means}\n", took.as_secs_f64() * 1e3));
        }
        if !parts.is_empty() {
            self.err(&format!("{:9.1} ms  in all\n", whole.as_secs_f64() * 1e3));
        }
    }

    /// A line of the result.
    ///
    /// # Errors
    /// When standard output cannot be written; [`Failure::is_silent`] when its reader went away.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        self.out(&format!("{}\n", harmless(text)))
    }

    /// Lines of the result, in one write.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn lines<T: AsRef<str>>(&self, lines: &[T]) -> Result<(), Failure> {
        let mut text = String::new();
        for line in lines {
            text += &harmless(line.as_ref());
            text.push('\n');
        }
        self.out(&text)
    }

    /// The same of lines whose fields are harmless and have tabs between them.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn fields(&self, lines: &[String]) -> Result<(), Failure> {
        self.out(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
    }

    /// The result as a table, as wide as the terminal at most.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn table(&self, table: &Table<'_>) -> Result<(), Failure> {
        self.out(&self.rendered(table))
    }

    /// The text of a table as [`Ui::table`] prints it.
    pub fn rendered(&self, table: &Table<'_>) -> String {
        table.render(self.width, self.colour_out)
    }

    /// Whether standard output is a terminal.
    pub fn has_screen(&self) -> bool {
        self.width.is_some()
    }

    /// Replaces the last `drawn` lines of the terminal by `text`, as far as it fits, and a note below. The number of lines now.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn redraw(&self, drawn: usize, text: &str, note: Option<&str>) -> Result<usize, Failure> {
        let height = crossterm::terminal::size().map_or(24, |(_, rows)| usize::from(rows));
        let room = height.saturating_sub(2 + usize::from(note.is_some())).max(1);
        let all: Vec<&str> = text.lines().collect();
        let mut lines: Vec<String> = all.iter().take(room).map(|line| (*line).to_owned()).collect();
        if all.len() > room {
            lines.pop();
            lines.push(format!("… and {} more", all.len() + 1 - room));
        }
        lines.extend(note.map(|note| format!("({})", harmless(note))));
        // In one piece: terminals that know the marks show nothing of what is in between.
        let mut frame = String::from("\x1b[?2026h\r");
        if drawn > 0 {
            frame += &format!("\x1b[{drawn}A");
        }
        frame += "\x1b[J";
        for line in &lines {
            frame += line;
            frame.push('\n');
        }
        frame += "\x1b[?2026l";
        self.out(&frame)?;
        Ok(lines.len())
    }

    /// A picture whose light parts are half blocks, dark on light whatever the terminal's colours are, where it takes any.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn picture(&self, blocks: &str) -> Result<(), Failure> {
        let (ink, plain) = if self.colour_out { ("\x1b[38;5;231;48;5;16m", "\x1b[0m") } else { ("", "") };
        self.out(&blocks.lines().map(|line| format!("{ink}{line}{plain}\n")).collect::<String>())
    }

    /// The result as JSON.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::output(error.into()))?;
        self.out(&format!("{}\n", escaped(&text)))
    }

    /// A line beside the result, for the person who watches. A standard error that nobody reads is no reason to stop.
    pub fn note(&self, text: &str) {
        self.err(&format!("{}\n", harmless(text)));
    }

    /// What failed and what to do next.
    pub fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            // The terminal has shown ^C and left the cursor behind it.
            if self.watched && failure.kind() == Kind::Interrupted {
                self.err("\n");
            }
            return;
        }
        if self.json {
            let hint = failure.hints().join("\n");
            let hint = (!hint.is_empty()).then_some(hint);
            let body = serde_json::json!({"error": {"code": failure.code(), "message": failure.message(), "hint": hint}});
            self.err(&format!("{}\n", escaped(&body.to_string())));
            return;
        }
        let (red, dim, plain) = if self.colour { ("\x1b[31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{red}ztctl:{plain} {}\n", harmless(failure.message()));
        for detail in failure.details() {
            text += &format!("  {}\n", harmless(detail));
        }
        for hint in failure.hints() {
            text += &format!("{dim}hint:{plain} {}\n", harmless(hint));
        }
        self.err(&text);
    }

    fn out(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
    }

    fn err(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// How long is waited for a person at a terminal that is not standard input.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the parts of the way to a session are.
const PARTS: [(&str, &str); 6] = [
    ("start", "the arguments, the configuration, the token"),
    ("connection", "TCP and TLS to the broker"),
    ("broker", "its answer: decision, certificate, audit, the way to the agent"),
    ("keys", "SSH: the keys and the host's proof"),
    ("proof", "SSH: ours"),
    ("command", "SSH: the channel, until the first sign from there"),
];
