//! What changes between the decision and the beginning, while the agent's link is awaited, counts.

use super::*;

/// A visit of ada's that has just come in, and its headers.
async fn visit<'a>(world: &'a World, key: &PrivateKey) -> (Visit<'a>, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", world.token.expose()).parse().unwrap());
    headers.insert("ztctl-connect", URL_SAFE_NO_PAD.encode(request(key).to_string()).parse().unwrap());
    let visit = Visit {
        state: &world.state,
        purges: world.state.sessions.purges(),
        caller: world.caller(&headers).await,
        asked: Asked::from_headers(&headers).unwrap(),
        address: "192.0.2.1".parse().unwrap(),
        approvals: Vec::new(),
        break_glass: false,
    };
    (visit, headers)
}

#[tokio::test]
async fn whoever_is_removed_while_the_link_is_awaited_gets_no_session() {
    let world = World::new().await;
    let agent = world.agent(NOW).await;
    let (mut waiting, headers) = visit(&world, &new_key().unwrap()).await;
    let granted = waiting.authorise().await.unwrap();
    let presence = waiting.presence(&granted.row).unwrap();
    world.state.sessions.cut_user("bob@local", "gone");
    waiting.still(&headers, &granted.basis, &presence).await.unwrap();

    let ada: Account = "ada".parse().unwrap();
    crate::broker::admin::Admin::new(Arc::clone(&world.state)).remove_user(&ada).await.unwrap();
    let mut request = Request::default();
    *request.headers_mut() = headers.clone();
    let (link, mut far) = tokio::io::duplex(64);
    let wanted = Wanted::Raw(CONNECT_UPGRADE);
    let begun = waiting.begin(wanted, &mut request, granted, Arc::clone(&presence), Box::new(link)).await;
    assert_eq!(begun.unwrap_err().code, ErrorCode::NotLoggedIn);
    assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0, "the agent heard of no session");
    let refused = |event: &Event| matches!(event, Event::SessionEnded { outcome: Outcome::Refused { .. }, .. });
    assert!(world.events().await.iter().any(refused));

    assert!(world.state.agents.present(presence.agent).is_some());
    world.state.agents.expel(presence.agent);
    assert!(world.state.agents.present(presence.agent).is_none(), "who is about to go serves nobody");
    assert!(world.state.agents.connected(presence.agent).is_some(), "and tells whom it served");
    drop(agent);
}

#[tokio::test]
async fn what_is_locked_while_the_link_is_awaited_gets_no_session() {
    let world = World::new().await;
    let _agent = world.agent(NOW).await;
    let key = new_key().unwrap();
    let (mut visit, headers) = visit(&world, &key).await;
    let granted = visit.authorise().await.unwrap();
    let presence = visit.presence(&granted.row).unwrap();
    let admin = crate::broker::admin::Admin::new(Arc::clone(&world.state));
    let spec = |wish| LockSpec { wish, lasts: None, until: Some(NOW + 60), reason: Some("incident 42".into()) };
    let made = admin.add_lock(spec(LockWish::Container("tom*".into()))).await.unwrap();
    assert_eq!(made.ended, 0, "it is not there yet");
    let refused = visit.still(&headers, &granted.basis, &presence).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Locked);
    let body = world.refused(&request(&key)).await;
    assert_eq!(body["code"], "locked");
    assert!(body["message"].as_str().unwrap().ends_with(" is locked until 2027-01-15 08:01:00 UTC: incident 42"), "{body}");
    // To whom policy allows nothing, nothing is said of locks.
    let mut exec = request(&key);
    exec["actions"] = json!(["forward"]);
    assert_eq!(world.refused(&exec).await["code"], "denied");
    admin.remove_lock(&made.lock.id).await.unwrap();
    visit.still(&headers, &granted.basis, &presence).await.unwrap();
    // A policy that changes in this moment counts as well.
    std::fs::write(
        world.dir.path().join("policy.cedar"),
        POLICY.replace("@id(\"enter\")", "@id(\"enter\") @require(\"reason\")"),
    )
    .unwrap();
    admin.reload_policy().await.unwrap();
    let refused = visit.still(&headers, &granted.basis, &presence).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Denied);
    for (wish, right) in [
        (LockWish::User("nobody".parse().unwrap()), false),
        (LockWish::User("nobody@corp".parse().unwrap()), false),
        (LockWish::User("ada@local".parse().unwrap()), true),
        (LockWish::Container("nothing".into()), false),
        (LockWish::Container("Web".into()), false),
        (LockWish::Container("tomcat".into()), true),
        (LockWish::Agent(crate::proto::AgentId::of_key(b"nobody")), false),
        (LockWish::Agent(presence.agent), true),
    ] {
        assert_eq!(admin.add_lock(spec(wish.clone())).await.is_ok(), right, "{wish:?}");
    }
    let late = LockSpec { until: Some(NOW), ..spec(LockWish::Everything) };
    assert!(admin.add_lock(late).await.is_err());
}
