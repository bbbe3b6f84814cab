//! Both sides of the HTTP: what a broker is asked (headers, forms, connect requests, forwarded addresses) and what it answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{from_slice, to_string};
use ztctl::broker::fuzzing as broker;
use ztctl::client::fuzzing as client;
use ztctl::client::{ca_pin, names};
use ztctl::harmless::harmless;
use ztctl::proto::api::{ConnectReply, ContainerList, SessionList, Whoami, Why};
use ztctl::proto::ca::{CaSet, Chain};
use ztctl::proto::{ErrorBody, Text};
use ztctl::ssh::Authorities;
use ztctl_fuzz::{split, text, texts};

fuzz_target!(|bytes: &[u8]| {
    let (choice, bytes) = split(bytes);
    match choice % 8 {
        0 => broker::connect(bytes),
        1 => broker::headers(bytes),
        2 => broker::form(bytes),
        3 => client::login_answers(bytes),
        4 => client::callback(&text(bytes)),
        5 => {
            if let Ok(set) = from_slice::<CaSet>(bytes) {
                let _ = (set.fingerprint(), Authorities::of_users(&set), Authorities::of_hosts(&set));
                let _ = ca_pin::follow(&set.clone().into(), &Chain::new(set.into()));
            }
            let _ = (from_slice::<Whoami>(bytes), from_slice::<ConnectReply>(bytes), from_slice::<SessionList>(bytes));
            if let Ok(error) = from_slice::<ErrorBody>(bytes) {
                let _ = (error.code.status(), harmless(&error.message));
            }
        }
        6 => {
            let _ = from_slice::<Why>(bytes);
            let (list, borrowed) = (from_slice::<ContainerList>(bytes), from_slice::<ContainerList<Text>>(bytes));
            assert_eq!(list.is_ok(), borrowed.is_ok(), "read as texts of its own or of the answer, it is the same list");
            if let (Ok(list), Ok(borrowed)) = (list, borrowed) {
                assert_eq!(to_string(&list).ok(), to_string(&borrowed).ok());
                let known = names::Names::of(&list.containers);
                assert_eq!(known.all().len(), list.containers.len(), "one line for each, whatever it is called");
                for row in &list.containers {
                    let _ = (row.condition(), known.beginning(&row.name));
                }
            }
        }
        _ => {
            let text = text(bytes);
            let [file, typed, _] = texts(&text);
            client::names(file, typed);
        }
    }
});
