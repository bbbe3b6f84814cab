use super::*;
use crate::proto::Action;

fn request(command: Option<Vec<u8>>) -> Request {
    Request {
        as_typed: "web-7f9".parse().unwrap(),
        container: None,
        login: Login::container_default(),
        actions: [Action::Exec].into_iter().collect(),
        optional: Actions::default(),
        command,
        reason: None,
        break_glass: false,
    }
}

#[test]
fn a_command_is_declared_where_it_can_be() {
    let declared = |command: Vec<u8>| connect_request(request(Some(command)), "ssh-ed25519 AAAA".into(), 0).command;
    assert_eq!(declared(b"'id'".to_vec()).as_deref(), Some("'id'"));
    assert_eq!(declared(b"'\xff'".to_vec()), None);
    assert_eq!(declared(vec![b'x'; CONNECT_LIMIT]), None);
}

#[test]
fn the_clock_says_which_way_it_is_off() {
    assert_eq!(SessionError::Clock { seconds: -300 }.to_string(), "the clock here is 300 seconds behind the broker's");
    assert_eq!(SessionError::Clock { seconds: 300 }.to_string(), "the clock here is 300 seconds ahead of the broker's");
}
