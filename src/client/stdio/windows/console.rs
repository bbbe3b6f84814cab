//! The calls to a console that the standard library does not make.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};

use windows_sys::Win32::System::Console::{
    GetConsoleMode, INPUT_RECORD, KEY_EVENT, KEY_EVENT_RECORD, ReadConsoleInputW, SetConsoleMode,
};

/// This process's console, or one half of it.
#[derive(Debug)]
pub(crate) struct Console(File);

impl Console {
    /// Where keys come from.
    pub(crate) fn input() -> io::Result<Self> {
        open("CONIN$").map(Self)
    }

    /// The screen.
    pub(crate) fn output() -> io::Result<Self> {
        open("CONOUT$").map(Self)
    }

    /// The modes of this half.
    pub(crate) fn mode(&self) -> io::Result<u32> {
        mode(self.0.as_handle())
    }

    /// Sets them.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        // SAFETY: the handle is open for as long as the file is.
        done(unsafe { SetConsoleMode(self.0.as_raw_handle(), mode) })
    }

    /// Waits for a key and hands what was typed to `take`, in UTF-16; at most [`AT_ONCE`] keys.
    pub(super) fn read(&self, mut take: impl FnMut(u16)) -> io::Result<()> {
        let mut records = [INPUT_RECORD::default(); AT_ONCE];
        let mut read = 0;
        // SAFETY: the handle is open, and there is room for as many records as are asked for.
        done(unsafe { ReadConsoleInputW(self.0.as_raw_handle(), records.as_mut_ptr(), AT_ONCE as u32, &mut read) })?;
        for record in records.iter().take(read as usize).filter(|record| u32::from(record.EventType) == KEY_EVENT) {
            // SAFETY: the type says which of the union's members was written; of the character's two, ReadConsoleInputW writes this one.
            let (key, unit) = unsafe { (record.Event.KeyEvent, record.Event.KeyEvent.uChar.UnicodeChar) };
            (0..times(&key, unit)).for_each(|_| take(unit));
        }
        Ok(())
    }
}

/// The screen as a file, which takes bytes of whatever code page is set: ASCII.
pub(super) fn screen() -> io::Result<File> {
    open("CONOUT$")
}

/// Whether `handle` is a console's. The terminals of Git Bash and its like are pipes, and none.
pub(crate) fn is_console(handle: &impl AsHandle) -> bool {
    mode(handle.as_handle()).is_ok()
}

fn open(name: &str) -> io::Result<File> {
    File::options().read(true).write(true).open(name)
}

fn mode(handle: BorrowedHandle<'_>) -> io::Result<u32> {
    let mut mode = 0;
    // SAFETY: a borrowed handle is open, and the mode has a place.
    done(unsafe { GetConsoleMode(handle.as_raw_handle(), &mut mode) })?;
    Ok(mode)
}

fn done(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// How often `unit` was typed. A character that was put together by its number, with Alt held, comes when Alt is let go.
fn times(key: &KEY_EVENT_RECORD, unit: u16) -> u16 {
    match unit {
        0 => 0,
        _ if key.bKeyDown != 0 => key.wRepeatCount.max(1),
        _ if key.wVirtualKeyCode == ALT => 1,
        _ => 0,
    }
}

/// Keys of one read: a paste comes in several.
const AT_ONCE: usize = 256;

/// The virtual key code of Alt.
const ALT: u16 = 0x12;
