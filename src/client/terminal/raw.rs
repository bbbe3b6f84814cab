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
use super::tty::{self, LineModes, Tty};
use crate::client::guardian::Keeper;

/// What has the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A session: every byte goes through as it is.
    Session,
    /// A dialogue of our own: keys come one by one, but lines are drawn as lines. Its cursor is hidden.
    Dialogue,
}

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
        let saved = LineModes::of(&tty.keys)?;
        let (raw, modes) = match purpose {
            Use::Session => (LineModes::raw_of(&tty.keys)?, Modes::default()),
            Use::Dialogue => (LineModes::raw_of(&tty.keys)?.with_output_of(&saved), Modes::cursor_hidden()),
        };
        // The guardian first: there is no moment in which the terminal is raw and nobody would know.
        let keeper = program.and_then(|program| Keeper::start(program, &tty, &saved, &raw, &modes.resets()).ok());
        hook_panics();
        *armed() = Some(Armed { tty, saved, raw, modes });
        let guard = Self { keeper };
        crossterm::terminal::enable_raw_mode()?;
        if let Some(armed) = armed().as_ref() {
            raw.apply(&armed.tty.keys)?;
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
    /// When the terminal cannot be taken again.
    pub fn suspend(&mut self) -> io::Result<()> {
        let modes = {
            let armed = armed();
            let Some(armed) = armed.as_ref() else { return Ok(()) };
            put_back(armed);
            armed.modes
        };
        self.note(Modes::default());
        tty::stop_job()?;
        self.note(modes);
        self.retake()?;
        if let Some(armed) = armed().as_ref() {
            tty::write_within(&armed.tty.screen, &modes.sets(), PATIENCE);
        }
        Ok(())
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
            Some(armed) => armed.raw.apply(&armed.tty.keys),
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
    if let Some(armed) = armed.take() {
        let _ = crossterm::terminal::disable_raw_mode();
        put_back(&armed);
    }
}

fn put_back(armed: &Armed) {
    // A terminal that is gone needs nothing: both may fail without harm.
    let _ = armed.saved.apply(&armed.tty.keys);
    tty::write_within(&armed.tty.screen, &armed.modes.resets(), PATIENCE);
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
