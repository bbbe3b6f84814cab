//! What runs through the client while a session lives: output whose modes it follows, keys among which it finds its escapes, what its
//! guardian hears, files of a container. The same comes out wherever the stream is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use russh_sftp::protocol::Packet;
use ztctl::client::fuzzing as client;
use ztctl::client::terminal::escape::Escapes;
use ztctl::client::terminal::modes::Tracker;
use ztctl_fuzz::split;

fuzz_target!(|bytes: &[u8]| {
    let (choice, bytes) = split(bytes);
    let (cut, bytes) = split(bytes);
    let cut = usize::from(cut).min(bytes.len());
    match choice % 5 {
        0 => {
            let (mut whole, mut parts) = (Tracker::default(), Tracker::default());
            whole.read(bytes);
            parts.read(&bytes[..cut]);
            parts.read(&bytes[cut..]);
            assert_eq!(whole.modes(), parts.modes());
            // What puts everything back leaves nothing on.
            let mut after = parts;
            after.read(b"\x18");
            after.read(&after.modes().resets());
            assert!(after.modes().is_normal(), "{:?}", after.modes());
        }
        1 => {
            let (mut escapes, mut out, mut rest) = (Escapes::new(Some(b'~')), Vec::new(), bytes);
            while !rest.is_empty() {
                let (taken, _) = escapes.take(&rest[..rest.len().min(cut.max(1))], &mut out);
                assert!(taken > 0);
                rest = &rest[taken..];
            }
            assert!(out.len() <= bytes.len());
            let (mut none, mut out) = (Escapes::new(None), Vec::new());
            assert_eq!(none.take(bytes, &mut out), (bytes.len(), None));
            assert_eq!(out, bytes);
        }
        2 => client::guardian(bytes),
        3 => client::console(bytes, cut),
        _ => drop(Packet::try_from(&mut bytes::Bytes::copy_from_slice(bytes))),
    }
});
