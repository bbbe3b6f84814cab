use proptest::prelude::*;

use super::modes::{Modes, Tracker};
use super::tty::LineModes;

fn resets(output: &[u8]) -> String {
    let mut tracker = Tracker::default();
    tracker.read(output);
    String::from_utf8(tracker.modes().resets()).unwrap()
}

#[test]
fn only_what_was_switched_on_is_switched_off() {
    for (output, expected) in [
        ("plain text, \u{fc}mlaut", ""),
        ("\x1b[?1049h", "\x1b[?1049l"),
        ("\x1b[?1049h\x1b[?1049l", ""),
        ("\x1b[?1049h\x1b[?47l", ""),
        ("\x1b[?25l", "\x1b[?25h"),
        ("\x1b[?25l\x1b[?25h", ""),
        ("\x1b[?1000;1006h", "\x1b[?1000l\x1b[?1006l"),
        ("\x1b[?2004h", "\x1b[?2004l"),
        ("\x1b[?7l", "\x1b[?7h"),
        ("\x1b[?1h\x1b=", "\x1b[?1l\x1b>"),
        ("\x1b=\x1b>", ""),
        ("\x1b[>1u\x1b[>5u", "\x1b[<2u"),
        ("\x1b[>1u\x1b[>5u\x1b[<2u", ""),
        ("\x1b[>1u\x1b[<u", ""),
        ("\x1b[>4;2m", "\x1b[>4m"),
        ("\x1b[>4;0m", ""),
        ("\x1b[1;31m", "\x1b[0m"),
        ("\x1b[1;31mred\x1b[0m", ""),
        ("\x1b[1;31mred\x1b[m", ""),
        ("\x1b[2;20r", "\x1b7\x1b[r\x1b8"),
        ("\x1b[2;20r\x1b[r", ""),
        ("\x1b[?1r", ""),
        ("\x1b(0", "\x1b(B\x1b)B\x0f"),
        ("\x1b(0\x1b(B", ""),
        ("\x1b[4 q", "\x1b[0 q"),
        ("\x1b[4 q\x1b[ q", ""),
        ("\x1b[?1049h\x1b[?1003h\x1b[1m\x1bc", ""),
        ("\x1b[?1049h\x1b[?25l\x1b[1m\x1b[!p", "\x1b[?1049l"),
    ] {
        assert_eq!(resets(output.as_bytes()), expected, "{output:?}");
    }
}

#[test]
fn sequences_are_understood_as_a_terminal_does() {
    // Cancelled, restarted, with a control character inside, inside a title, too long to matter.
    assert_eq!(resets(b"\x1b[?1049\x18h"), "");
    assert_eq!(resets(b"\x1b[?1049\x1b[?25l"), "\x1b[?25h");
    assert_eq!(resets(b"\x1b[?10\r49h"), "\x1b[?1049l");
    assert_eq!(resets(b"\x1b]0;title [?1049h\x07"), "");
    assert_eq!(resets(b"\x1b]0;title\x1b[?1049h"), "\x1b[?1049l");
    let long = [b"\x1b[?".as_slice(), &b"1;".repeat(1000), b"1049h\x1b[?25l"].concat();
    assert_eq!(resets(&long), "\x1b[?25h");
    assert_eq!(resets(b"\x1b[?99999999999h\x1b[?;h\x1b[h\x1b[>u"), "\x1b[<1u");
}

#[test]
fn what_was_on_comes_back_after_a_pause() {
    let mut tracker = Tracker::default();
    tracker.read(b"\x1b[?1049h\x1b[?25l\x1b[?1h\x1b=\x1b[?2004h");
    let (modes, mut resumed) = (tracker.modes(), Tracker::default());
    resumed.read(&modes.sets());
    assert_eq!(resumed.modes(), modes);
}

#[test]
fn a_change_is_told_once() {
    let mut tracker = Tracker::default();
    assert!(!tracker.read(b"text"));
    assert!(!tracker.read(b"\x1b[?104"));
    assert!(tracker.read(b"9h"));
    assert!(!tracker.read(b"\x1b[?1049h more"));
    assert!(tracker.read(b"\x1b[?1049l"));
    assert!(tracker.modes().is_normal());
}

#[test]
fn resets_stay_within_what_the_guardian_takes() {
    let all: String = (0..3000).map(|number| format!("\x1b[?{number}h\x1b[?{number}l\x1b[?{number}h")).collect();
    let rest = "\x1b[?7l\x1b[?25l\x1b[>1u\x1b[>4;2m\x1b[2;3r\x1b(0\x1b[3 q\x1b[1m";
    let resets = resets((all + rest).as_bytes());
    assert!(resets.len() < crate::client::guardian::RESETS_LIMIT, "{}", resets.len());
    assert!(super::modes::Modes::cursor_hidden().resets() == b"\x1b[?25h");
}

#[test]
fn line_modes_survive_the_way_to_the_guardian() {
    let mut bytes = [0; LineModes::BYTES];
    bytes.iter_mut().enumerate().for_each(|(index, byte)| *byte = index as u8);
    assert_eq!(LineModes::from_bytes(&bytes).to_bytes(), bytes);
}

proptest! {
    #[test]
    fn where_the_output_is_split_does_not_matter(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(b"\x1b[?1049h".to_vec()), Just(b"\x1b[?25l".to_vec()), Just(b"\x1b[>1u".to_vec()), Just(b"\x1b[31m".to_vec()),
                Just(b"\x1b[?1000;1002l".to_vec()), Just(b"\x1b(0".to_vec()), Just(b"\x1b[!p".to_vec()),
                prop::collection::vec(any::<u8>(), 0..8),
            ],
            0..20,
        ),
        step in 1_usize..7,
    ) {
        let output = pieces.concat();
        let mut whole = Tracker::default();
        whole.read(&output);
        let mut split = Tracker::default();
        output.chunks(step).for_each(|chunk| { split.read(chunk); });
        prop_assert_eq!(whole.modes(), split.modes());
    }

    #[test]
    fn the_resets_undo_what_was_switched_on(output in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut tracker = Tracker::default();
        tracker.read(b"\x1b[?1049h\x1b[?25l\x1b[>1u\x1b[31m\x1b(0");
        tracker.read(&output);
        tracker.read(b"\x18");
        let resets = tracker.modes().resets();
        tracker.read(&resets);
        prop_assert_eq!(tracker.modes(), Modes::default());
    }
}

#[test]
fn what_has_the_screen_to_itself_is_known() {
    let full = |output: &str| {
        let mut tracker = Tracker::default();
        tracker.read(output.as_bytes());
        tracker.modes().in_alternate_screen()
    };
    assert!(full("\x1b[?1049h") && full("\x1b[?47h") && full("\x1b[?1047h\x1b[?25l"));
    let between = |output: &str| {
        let mut tracker = Tracker::default();
        tracker.read(output.as_bytes());
        tracker.is_between()
    };
    assert!(between("plain \x1b[1m") && !between("\x1b") && !between("\x1b[38;5;") && !between("\x1b("));
    assert!(!full("\x1b[?25l\x1b[?2004h") && !full("\x1b[?1049h\x1b[?1049l") && !full("\x1b[?1049h\x1b[?47l"));
}
