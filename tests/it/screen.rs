//! A person at a terminal: a real pseudo-terminal, what is typed into it, and what stands on its screen.
//!
//! The program runs below a shell, as it does for a person: the shell leads the terminal's session, so the terminal outlives
//! the program, and says on the screen with which status it ended.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take to appear: far more than it does, on a machine that is busy.
pub const SOON: Duration = Duration::from_secs(20);

/// One terminal with one program.
pub struct Screen {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Shown>,
    shell: Box<dyn Child + Send + Sync>,
    before: Modes,
}

/// What has been drawn so far.
struct Shown {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    /// Every byte, for what a screen does not show.
    bytes: Vec<u8>,
    ended: bool,
}

/// The line modes of the terminal, as text that can be compared and read.
pub type Modes = String;

impl Screen {
    /// Starts `program` with exactly this environment in a terminal of that size.
    pub fn spawn(program: &[&str], environment: &[(String, String)], rows: u16, columns: u16) -> Self {
        let pair = native_pty_system().openpty(size(rows, columns)).unwrap();
        let before = modes(&*pair.master);
        // `$$` stays the same process through `exec`: its number is known before it starts.
        let mut command = CommandBuilder::new("/bin/sh");
        command.arg("-c");
        command.arg("sh -c 'echo \"[pid $$]\"; exec \"$0\" \"$@\"' \"$@\"; echo \"[status $?]\"; read end");
        command.arg("sh");
        command.args(program);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        environment.iter().for_each(|(name, value)| command.env(name, value));
        let shell = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (parser, changed) = (vt100::Parser::new(cells(rows), cells(columns), 1000), Condvar::new());
        let shown = Arc::new(Shown { state: Mutex::new(State { parser, bytes: Vec::new(), ended: false }), changed });
        let mut reader = pair.master.try_clone_reader().unwrap();
        let drawn = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = reader.read(&mut buffer).unwrap_or(0);
                let mut state = drawn.state.lock().unwrap();
                state.parser.process(&buffer[..read]);
                state.bytes.extend_from_slice(&buffer[..read]);
                state.ended = read == 0;
                drawn.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { master: pair.master, keys, shown, shell, before }
    }

    /// Waits until `text` stands on the screen.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(&format!("`{text}` is shown"), |screen| screen.contents().contains(text));
    }

    /// Waits until the screen is as `condition` wants it.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + SOON;
        let mut state = self.shown.state.lock().unwrap();
        while !condition(state.parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !state.ended, "not seen: {what}. On the screen:\n{}", state.parser.screen().contents());
            state = self.shown.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// What stands on the screen.
    pub fn contents(&self) -> String {
        self.shown.state.lock().unwrap().parser.screen().contents()
    }

    /// Whether `text` stands there, and stands out where it does first.
    pub fn is_bold(&self, text: &str) -> bool {
        let state = self.shown.state.lock().unwrap();
        let screen = state.parser.screen();
        let rows: Vec<String> = screen.contents().lines().map(str::to_owned).collect();
        let found = rows.iter().enumerate().find_map(|(row, line)| Some((row, line.find(text)?)));
        let (row, column) = found.unwrap_or_else(|| panic!("{text} is not on the screen"));
        screen.cell(row as u16, column as u16).is_some_and(vt100::Cell::bold)
    }

    /// Every byte that was drawn.
    pub fn bytes(&self) -> Vec<u8> {
        self.shown.state.lock().unwrap().bytes.clone()
    }

    /// Types `keys`.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Makes the window another size.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.shown.state.lock().unwrap().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size(rows, columns)).unwrap();
    }

    /// The process of the program.
    pub fn pid(&self) -> i32 {
        self.wait_until("the process's number", |_| true);
        let deadline = Instant::now() + SOON;
        loop {
            let bytes = String::from_utf8_lossy(&self.bytes()).into_owned();
            let number =
                bytes.split_once("[pid ").and_then(|(_, rest)| rest.split_once(']')).map(|(number, _)| number.to_owned());
            match number {
                Some(number) => return number.parse().unwrap(),
                None => assert!(Instant::now() < deadline, "the program did not start:\n{bytes}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends `signal` to the program.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// Waits until the program has ended, and returns its status as a shell counts it.
    pub fn wait_exit(&self) -> i32 {
        let deadline = Instant::now() + SOON;
        loop {
            let bytes = String::from_utf8_lossy(&self.bytes()).into_owned();
            if let Some(status) = bytes.rsplit_once("[status ").and_then(|(_, rest)| rest.split_once(']')) {
                return status.0.parse().unwrap();
            }
            assert!(Instant::now() < deadline, "the program did not end:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The terminal's line modes now.
    pub fn modes(&self) -> Modes {
        modes(&*self.master)
    }

    /// Waits until the terminal is as it was before the program: line modes, screen, cursor, mouse, paste.
    pub fn wait_as_before(&self) {
        let deadline = Instant::now() + SOON;
        loop {
            let differs = self.difference();
            match differs {
                None => return,
                Some(what) => assert!(Instant::now() < deadline, "the terminal is not as before: {what}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn difference(&self) -> Option<String> {
        let now = self.modes();
        if now != self.before {
            return Some(format!("line modes were\n{}\nand are\n{now}", self.before));
        }
        let state = self.shown.state.lock().unwrap();
        let screen = state.parser.screen();
        [
            ("the alternate screen is shown", screen.alternate_screen()),
            ("the cursor is hidden", screen.hide_cursor()),
            ("paste is bracketed", screen.bracketed_paste()),
            ("the mouse is reported", screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None),
            ("cursor keys are the application's", screen.application_cursor()),
            ("the keypad is the application's", screen.application_keypad()),
        ]
        .into_iter()
        .find_map(|(what, differs)| differs.then(|| what.to_owned()))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn modes(master: &dyn MasterPty) -> Modes {
    // SAFETY: the descriptor belongs to `master`, which outlives the borrow.
    let fd = unsafe { BorrowedFd::borrow_raw(master.as_raw_fd().unwrap()) };
    let modes = rustix::termios::tcgetattr(fd).unwrap();
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes, modes.special_codes
    )
}

fn size(rows: u16, columns: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}
