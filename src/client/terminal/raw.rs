//! Raw mode as a guard: while it lives the keys go to the session as they are; when it goes, by whatever way, the terminal is
//! as it was.
//!
//! Drop covers every return; a panic hook covers a panic, also where panics abort; the guardian covers SIGKILL. Signals that
//! can be caught end the session's loop and so drop the guard.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use super::modes::Modes;
use super::tty::{LineModes, Tty, Use, stop_job};
use crate::client::guardian::Keeper;

/// The terminal, in raw mode until this is dropped. One at a time.
#[derive(Debug)]
pub struct Raw {
    keeper: Option<Keeper>,
}

/// What has to be put back; in a static because the panic hook needs it.
#[derive(Debug)]
struct Armed {
    tty: Tty,
    saved: LineModes,
    raw: LineModes,
    modes: Modes,
}

static ARMED: Mutex<Option<Armed>> = Mutex::new(None);

impl Raw {
    /// Puts the terminal of this process into raw mode. `program` is this program, to be run again as the guardian; without
    /// it, or when it does not start, everything but a SIGKILL is still covered.
    ///
    /// # Errors
    /// When standard input is no terminal, or its modes cannot be set.
    pub fn enter(program: Option<&Path>, purpose: Use) -> io::Result<Self> {
        let tty = Tty::of_process()?;
        let (saved, raw) = (tty.line_modes()?, tty.raw_modes(purpose)?);
        let modes = match purpose {
            Use::Session => Modes::default(),
            Use::Dialogue => Modes::cursor_hidden(),
        };
        // The guardian first: there is no moment in which the terminal is raw and nobody would know.
        let keeper = program.and_then(|program| Keeper::start(program, &tty, &saved, &raw, &modes.resets()).ok());
        hook_panics();
        *armed() = Some(Armed { tty, saved, raw, modes });
        let guard = Self { keeper };
        crossterm::terminal::enable_raw_mode()?;
        if let Some(armed) = armed().as_ref() {
            armed.tty.apply(&raw)?;
        }
        Ok(guard)
    }

    /// Takes note of what the output has switched on. To be called before that output is written.
    pub fn note(&mut self, modes: Modes) {
        if let Some(armed) = armed().as_mut() {
            armed.modes = modes;
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.note(&modes.resets());
        }
    }

    /// Gives the terminal back, stops this job, and takes the terminal again when the job goes on.
    ///
    /// # Errors
    /// When the terminal cannot be taken again; `Unsupported`, and nothing has changed, on a system without jobs.
    pub fn suspend(&mut self) -> io::Result<()> {
        let modes = {
            let mut armed = armed();
            let Some(armed) = armed.as_mut() else { return Ok(()) };
            put_back(armed);
            armed.modes
        };
        self.note(Modes::default());
        let stopped = stop_job();
        self.note(modes);
        self.retake()?;
        if let Some(armed) = armed().as_mut() {
            armed.tty.screen.write_within(&modes.sets(), PATIENCE);
        }
        stopped
    }

    /// Gives the terminal back while somebody in this process still reads its keys and may take it again at any moment. The guardian looks
    /// once more when the process has ended, which it is about to.
    pub fn leave(mut self) {
        restore(&mut armed());
        // Neither dismissed nor waited for: its pipe ends with the process.
        std::mem::forget(self.keeper.take());
    }

    /// Sets the raw modes again: the local shell has set its own while this job was stopped.
    ///
    /// # Errors
    /// When the terminal does not take them.
    pub fn retake(&mut self) -> io::Result<()> {
        match armed().as_ref() {
            Some(armed) => armed.tty.apply(&armed.raw),
            None => Ok(()),
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore(&mut armed());
        if let Some(keeper) = self.keeper.take() {
            keeper.dismiss();
        }
    }
}

fn restore(armed: &mut Option<Armed>) {
    if let Some(mut armed) = armed.take() {
        let _ = crossterm::terminal::disable_raw_mode();
        put_back(&mut armed);
    }
}

fn put_back(armed: &mut Armed) {
    armed.tty.put_back(&armed.saved, &armed.modes.resets(), PATIENCE);
}

/// Gives the terminal back before the panic's message is printed.
fn hook_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A panic while the lock is held must not wait for itself.
            if let Ok(mut armed) = ARMED.try_lock() {
                restore(&mut armed);
            }
            next(panic);
        }));
    });
}

fn armed() -> MutexGuard<'static, Option<Armed>> {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a terminal that takes no output may hold up the way back.
const PATIENCE: Duration = Duration::from_millis(500);
