//! What the targets have in common: how they make of a fuzzer's bytes what they need.

use std::borrow::Cow;
use std::cell::OnceCell;

use tokio::runtime::{Builder, Runtime};

/// The first byte, which chooses, and the rest.
pub fn split(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest))
}

/// The bytes as text.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The first two lines, and what follows them.
pub fn texts(text: &str) -> [&str; 3] {
    let mut lines = text.splitn(3, '\n');
    [(); 3].map(|()| lines.next().unwrap_or_default())
}

/// `whole` with changes: each four bytes of `changes` say where (two), how (one) and by what (one).
pub fn mutated(whole: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut changed = whole.to_vec();
    for change in changes.chunks_exact(4).take(8) {
        if changed.is_empty() {
            break;
        }
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % changed.len();
        match change[2] % 4 {
            0 => changed[at] ^= change[3],
            1 => changed[at] = change[3],
            2 => changed.insert(at, change[3]),
            _ => drop(changed.remove(at)),
        }
    }
    changed
}

/// Runs `future` to its end, with a clock.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    }
    RUNTIME.with(|runtime| {
        runtime.get_or_init(|| Builder::new_current_thread().enable_time().build().expect("a runtime")).block_on(future)
    })
}
