use super::*;
use crate::proto::RequestId;

fn row(state: RequestState) -> RequestRow {
    RequestRow {
        id: RequestId::derived(&[b"one"]),
        user: "ada@local".into(),
        mine: false,
        answerable: true,
        container: "tomcat-7f9c01ab34de".into(),
        scope: "this container alone".into(),
        place: "node-1".into(),
        login: Login::container_default(),
        actions: [Action::Shell].into_iter().collect(),
        reason: "evil\x1b[2J".into(),
        seconds: 3600,
        created_at: 0,
        expires_at: 3600,
        state,
        missing: vec!["leads,sre".into(), "dba".into()],
        approved_by: Vec::new(),
        ended_by: None,
        ended_reason: None,
        until: None,
    }
}

#[test]
fn a_row_says_what_it_waits_for() {
    assert_eq!(state(&row(RequestState::Open), 0), "waits for you");
    let open = RequestRow { answerable: false, ..row(RequestState::Open) };
    assert_eq!(state(&open, 0), "waits for leads or sre, and of dba");
    let approved = RequestRow { until: Some(3600), ..row(RequestState::Approved) };
    assert_eq!(state(&approved, 1800), "approved, ends in 30m");
    let denied = RequestRow { ended_by: Some("bob@local".into()), ..row(RequestState::Denied) };
    assert_eq!(state(&denied, 0), "denied by bob@local");
}

#[test]
fn what_a_person_wrote_is_harmless_in_the_table() {
    assert!(!table(&[row(RequestState::Open)], 0).render(None, false).contains('\x1b'));
}

#[test]
fn an_id_is_meant_by_its_beginning() {
    let rows = [row(RequestState::Open)];
    assert_eq!(meant(rows.iter(), &shown(&rows[0])).unwrap().id, rows[0].id);
    assert_eq!(meant(rows.iter(), "zz").unwrap_err().exit_status(false), 4);
}

#[test]
fn a_no_says_who_and_why() {
    let denied =
        RequestRow { ended_by: Some("bob@local".into()), ended_reason: Some("not now".into()), ..row(RequestState::Denied) };
    assert_eq!(refused(&denied).message(), "the request was denied by bob@local: not now");
    assert_eq!(refused(&denied).exit_status(false), 4);
}
