//! What the remote output switched on in this terminal, and the shortest sequence that switches it off again.
//!
//! [`Tracker`] reads along byte by byte, keeps a sequence that is split between two reads, and never more than
//! [`PARAMETERS`] bytes of one. It understands only what outlives a session: what merely draws is not its business.

/// What differs from a terminal as it is at a shell's prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modes {
    /// One bit for each of [`PRIVATE`]: it is not as it normally is.
    private: u32,
    /// How often the kitty keyboard protocol was pushed.
    keyboard: u8,
    /// xterm's `modifyOtherKeys`.
    other_keys: bool,
    /// Lines scroll only between margins.
    margins: bool,
    /// A set of line-drawing characters in place of letters.
    charset: bool,
    /// The cursor has another shape.
    cursor_shape: bool,
    /// Colour, bold and the like are on.
    style: bool,
}

/// The private modes (`CSI ? n h` and `l`) that a session may leave behind, and whether each is normally on.
const PRIVATE: [(u16, bool); 23] = [
    (2026, false), // output held back: first, or the rest would not show
    (9, false),    // mouse: X10
    (1000, false), // mouse: buttons
    (1001, false), // mouse: highlight
    (1002, false), // mouse: drag
    (1003, false), // mouse: all movement
    (1004, false), // focus
    (1005, false), // mouse: coordinates as UTF-8
    (1006, false), // mouse: coordinates as text
    (1015, false), // mouse: coordinates as urxvt has them
    (1016, false), // mouse: pixels
    (2004, false), // paste between brackets
    (2031, false), // reports of a changed colour scheme
    (1, false),    // cursor keys of applications
    (KEYPAD, false),
    (5, false), // the whole screen inverse
    (6, false), // origin at the margin
    (7, true),  // lines wrap
    (12, false),
    (25, true), // the cursor shows
    (47, false),
    (1047, false),
    (1049, false),
];

/// The three names of the alternate screen.
const ALTERNATE: [u16; 3] = [47, 1047, 1049];

/// The keypad of applications: `ESC =` is another name for this mode.
const KEYPAD: u16 = 66;

impl Modes {
    /// Everything as it normally is.
    pub fn is_normal(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the alternate screen is shown, which an editor or a pager has to itself.
    pub fn in_alternate_screen(&self) -> bool {
        PRIVATE.iter().enumerate().any(|(index, (number, _))| ALTERNATE.contains(number) && self.private & 1 << index != 0)
    }

    /// A terminal whose cursor is hidden.
    pub fn cursor_hidden() -> Self {
        let mut modes = Self::default();
        modes.set_private(25, false);
        modes
    }

    /// What puts everything back; empty when nothing is to be done.
    pub fn resets(&self) -> Vec<u8> {
        let mut out = String::new();
        // The keyboard's stack belongs to the screen that it was pushed on: before the alternate screen goes.
        if self.keyboard > 0 {
            out += &format!("\x1b[<{}u", self.keyboard);
        }
        for (index, (number, normally)) in PRIVATE.iter().enumerate() {
            if self.private & 1 << index != 0 {
                out += &match (*number, normally) {
                    (KEYPAD, _) => "\x1b>".to_owned(),
                    (number, true) => format!("\x1b[?{number}h"),
                    (number, false) => format!("\x1b[?{number}l"),
                };
            }
        }
        for (is_on, reset) in [
            (self.other_keys, "\x1b[>4m"),
            // Resetting the margins sends the cursor home: keep its place.
            (self.margins, "\x1b7\x1b[r\x1b8"),
            (self.charset, "\x1b(B\x1b)B\x0f"),
            (self.cursor_shape, "\x1b[0 q"),
            (self.style, "\x1b[0m"),
        ] {
            if is_on {
                out += reset;
            }
        }
        out.into_bytes()
    }

    /// What switches the same on again after [`Modes::resets`], as far as it is a private mode.
    pub fn sets(&self) -> Vec<u8> {
        let mut out = String::new();
        // The other way round: the screen first, output held back last.
        for (index, (number, normally)) in PRIVATE.iter().enumerate().rev() {
            if self.private & 1 << index != 0 {
                out += &match (*number, normally) {
                    (KEYPAD, _) => "\x1b=".to_owned(),
                    (number, true) => format!("\x1b[?{number}l"),
                    (number, false) => format!("\x1b[?{number}h"),
                };
            }
        }
        out.into_bytes()
    }

    fn set_private(&mut self, number: u16, on: bool) {
        if !on && ALTERNATE.contains(&number) {
            ALTERNATE.iter().for_each(|name| self.flip(*name, false));
        }
        self.flip(number, on);
    }

    fn flip(&mut self, number: u16, on: bool) {
        if let Some(index) = PRIVATE.iter().position(|(known, _)| *known == number) {
            let differs = on != PRIVATE[index].1;
            self.private = self.private & !(1 << index) | u32::from(differs) << index;
        }
    }
}

/// Reads the output along.
#[derive(Debug, Default)]
pub struct Tracker {
    modes: Modes,
    state: State,
    sequence: Sequence,
}

/// Where in a sequence the output is. Contents of strings (titles, images) need no state: an ESC ends them in every terminal.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After `ESC`.
    Escape,
    /// After `ESC (` or `ESC )`.
    Charset,
    /// After `ESC [`.
    Control,
}

/// The bytes of a control sequence between `ESC [` and its last.
#[derive(Debug, Clone, Copy)]
struct Sequence {
    bytes: [u8; PARAMETERS],
    length: usize,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { bytes: [0; PARAMETERS], length: 0 }
    }
}

/// The most bytes of one control sequence that are kept. A longer one is none that matters here: it is passed over.
const PARAMETERS: usize = 64;

impl Tracker {
    /// What is switched on now.
    pub fn modes(&self) -> Modes {
        self.modes
    }

    /// Whether what was read ends between sequences.
    pub fn is_between(&self) -> bool {
        self.state == State::Text
    }

    /// Reads `output` and tells whether the modes have changed.
    pub fn read(&mut self, output: &[u8]) -> bool {
        let before = self.modes;
        let mut rest = output;
        loop {
            if self.state == State::Text {
                // `contains` looks at many bytes at a time; nearly all output has nothing for us.
                if !rest.contains(&ESC) {
                    break;
                }
                let start = rest.iter().position(|byte| *byte == ESC).unwrap_or(rest.len());
                rest = &rest[start..];
            }
            let Some((&byte, tail)) = rest.split_first() else { break };
            rest = tail;
            self.step(byte);
        }
        self.modes != before
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (_, ESC) => State::Escape,
            (_, CANCEL | SUBSTITUTE) => State::Text,
            // Other control characters act at once and the sequence goes on.
            (state, 0..0x20) => state,
            (State::Escape, b'[') => {
                self.sequence.length = 0;
                State::Control
            }
            (State::Escape, b'(' | b')') => State::Charset,
            (State::Escape, _) => {
                match byte {
                    b'=' => self.modes.set_private(KEYPAD, true),
                    b'>' => self.modes.set_private(KEYPAD, false),
                    b'c' => self.modes = Modes::default(),
                    _ => {}
                }
                State::Text
            }
            (State::Charset, _) => {
                self.modes.charset = byte != b'B';
                State::Text
            }
            (State::Control, 0x40..=0x7e) => {
                if self.sequence.length <= PARAMETERS {
                    self.control(byte);
                }
                State::Text
            }
            (State::Control, _) => {
                if let Some(place) = self.sequence.bytes.get_mut(self.sequence.length) {
                    *place = byte;
                }
                // One past the end says that it did not fit.
                self.sequence.length = (self.sequence.length + 1).min(PARAMETERS + 1);
                State::Control
            }
            (State::Text, _) => State::Text,
        };
    }

    fn control(&mut self, last: u8) {
        let sequence = self.sequence;
        let bytes = sequence.bytes.get(..sequence.length).unwrap_or_default();
        match (bytes.split_first(), last) {
            (Some((b'?', numbers)), b'h' | b'l') => {
                for number in parameters(numbers).flatten() {
                    self.modes.set_private(number, last == b'h');
                }
            }
            (Some((b'>', _)), b'u') => self.modes.keyboard = self.modes.keyboard.saturating_add(1),
            (Some((b'<', count)), b'u') => {
                let count = parameters(count).next().flatten().unwrap_or(1).max(1);
                self.modes.keyboard = self.modes.keyboard.saturating_sub(u8::try_from(count).unwrap_or(u8::MAX));
            }
            // `CSI = flags u` without a push: one pop takes it away as well.
            (Some((b'=', _)), b'u') => self.modes.keyboard = self.modes.keyboard.max(1),
            (Some((b'>', numbers)), b'm') => {
                let mut numbers = parameters(numbers);
                if numbers.next() == Some(Some(4)) {
                    self.modes.other_keys = numbers.next().flatten().is_some_and(|level| level > 0);
                }
            }
            (Some((b'!', [])), b'p') => self.soft_reset(),
            (None, b'm') => self.modes.style = false,
            (Some((b'0'..=b';', _)), b'm') => {
                self.modes.style = parameters(bytes).any(|number| number.is_some_and(|on| on > 0))
            }
            (None, b'r') => self.modes.margins = false,
            (Some((b'0'..=b';', _)), b'r') => self.modes.margins = true,
            (_, b'q') if bytes.last() == Some(&b' ') => {
                self.modes.cursor_shape = !matches!(bytes, b" " | b"0 ");
            }
            _ => {}
        }
    }

    /// `DECSTR`: back to normal but for the screen, the mouse and the paste.
    fn soft_reset(&mut self) {
        for (number, on) in [(1, false), (KEYPAD, false), (6, false), (7, true), (25, true)] {
            self.modes.set_private(number, on);
        }
        self.modes = Modes { margins: false, charset: false, style: false, ..self.modes };
    }
}

/// The numbers between semicolons; `None` for one that is empty or not a number.
fn parameters(bytes: &[u8]) -> impl Iterator<Item = Option<u16>> + '_ {
    bytes.split(|byte| matches!(byte, b';' | b':')).map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
}

const ESC: u8 = 0x1b;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;
