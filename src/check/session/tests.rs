use super::*;
use crate::authz::Value;
use crate::check::ServerSettings;
use crate::state::{BindingStore, LimitStore, Memory, Reply, StateSettings, Whose, WindowStore};
use crate::upstream::AuthorizationHeader;

fn server(name: &str, session_binding: SessionBinding) -> Server {
    let settings = ServerSettings {
        name: name.to_owned(),
        hosts: Vec::new(),
        path: None,
        resources: vec!["https://mcp.example.com/mcp".to_owned()],
        audiences: Vec::new(),
        issuers: vec!["https://idp.test".to_owned()],
        authorization_servers: None,
        scopes_supported: Vec::new(),
        scope_names: None,
        issuer_scope_names: Vec::new(),
        challenge_scopes: crate::check::ChallengeScopes::All,
        scope_results: crate::check::ScopeResults::None,
        deny: crate::check::DenySettings::default(),
        batch_max: 0,
        string_body: false,
        fold_arguments: false,
        uris: crate::check::UriForm::Normal,
        token: crate::authn::TokenPlace::default(),
        authorization: AuthorizationHeader::Remove,
        session_binding,
        responses_on_get: false,
        resume: false,
        trust: crate::catalog::Trust::default(),
        check_arguments: false,
        indirect: None,
        protocol_versions: Vec::new(),
    };
    Server::new(settings).unwrap()
}

fn subject(id: &str) -> Subject {
    Subject {
        issuer: "https://idp.test".into(),
        id: id.into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Null,
        unknown: crate::authz::UnknownFacts::default(),
    }
}

fn owner(id: &str) -> Owner {
    Owner::new("https://idp.test", id)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn whose(whose: Whose) -> Option<Owner> {
    match whose {
        Whose::Of(binding) => Some(binding.owner),
        Whose::Nobodys | Whose::Unknown => None,
    }
}

fn memory() -> Memory {
    Memory::new(StateSettings::default())
}

/// Uses a session and is allowed; why not, and since when the session is the caller's.
async fn use_session(
    state: &dyn State,
    server: &Server,
    id: &str,
    seconds: i64,
) -> (Option<Reason>, Option<Timestamp>) {
    let subject = subject(id);
    let used = UsedBindings::of(server, &subject, Some("s"), [Resource::Server].into_iter());
    let mut found = used.find(state, true, at(seconds)).await.unwrap();
    if found.refusal.is_none() {
        used.claim(&mut found, state, at(seconds)).await.unwrap();
    }
    (
        found.refusal.map(|(reason, _)| reason),
        found.session_started,
    )
}

#[tokio::test]
async fn of_two_who_find_an_id_free_the_first_to_bind_it_has_it() {
    let (state, server) = (memory(), server("notes", SessionBinding::On));
    let resources = [
        Resource::Tool("t"),
        Resource::Task("1"),
        Resource::Task("2"),
    ];
    let (alice, bob) = (subject("alice"), subject("bob"));
    let alices = UsedBindings::of(&server, &alice, None, resources.into_iter());
    let bobs = UsedBindings::of(&server, &bob, None, resources[..2].iter().copied());
    let mut for_alice = alices.find(&state, false, at(0)).await.unwrap();
    let mut for_bob = bobs.find(&state, false, at(0)).await.unwrap();
    assert_eq!((for_alice.refusal, for_bob.refusal), (None, None));

    bobs.claim(&mut for_bob, &state, at(1)).await.unwrap();
    assert_eq!(
        (for_bob.refusal, for_bob.bound),
        (None, vec![BindingKind::Task])
    );
    alices.claim(&mut for_alice, &state, at(1)).await.unwrap();
    assert_eq!(for_alice.refusal, Some((Reason::TaskMismatch, 1)));
    // The other one was free, and she was allowed to use it.
    assert_eq!(for_alice.bound, [BindingKind::Task]);
    let keys = ["1", "2"].map(|id| BindingKey::task("notes", id));
    let bound = state.bindings(&keys, owner("bob"), at(2)).await.unwrap();
    let owners: Vec<_> = bound.into_iter().map(whose).collect();
    assert_eq!(owners, [Some(owner("bob")), Some(owner("alice"))]);
}

#[tokio::test]
async fn the_age_of_a_session_is_that_of_its_binding() {
    let (state, metrics) = (memory(), Metrics::new());
    let server = server("notes", SessionBinding::On);
    let mismatch = (Some(Reason::SessionMismatch), None);
    assert_eq!(
        use_session(&state, &server, "alice", 5).await,
        (None, Some(at(5)))
    );
    assert_eq!(
        use_session(&state, &server, "alice", 9).await,
        (None, Some(at(5)))
    );
    assert_eq!(use_session(&state, &server, "bob", 9).await, mismatch);
    // The server issues the id again, to somebody else.
    bind_issued(
        &state,
        &metrics,
        &server,
        owner("bob"),
        BindingKey::session(&server.name, "s"),
        at(20),
    )
    .await
    .unwrap();
    assert_eq!(
        use_session(&state, &server, "bob", 30).await,
        (None, Some(at(20)))
    );
    assert_eq!(use_session(&state, &server, "alice", 30).await, mismatch);
    let counted = "mcp_authz_bindings_total{server=\"notes\",kind=\"session\",how=\"issued\"} 1";
    assert!(metrics.text().lines().any(|line| line == counted));
}

#[tokio::test]
async fn where_nothing_is_bound_everybody_has_an_age_of_their_own() {
    let (state, metrics) = (memory(), Metrics::new());
    let server = server("notes", SessionBinding::Off);
    bind_issued(
        &state,
        &metrics,
        &server,
        owner("bob"),
        BindingKey::session(&server.name, "s"),
        at(0),
    )
    .await
    .unwrap();
    bind_issued(
        &state,
        &metrics,
        &server,
        owner("bob"),
        BindingKey::task(&server.name, "1"),
        at(0),
    )
    .await
    .unwrap();
    assert_eq!(
        use_session(&state, &server, "alice", 5).await,
        (None, Some(at(5)))
    );
    assert_eq!(
        use_session(&state, &server, "bob", 7).await,
        (None, Some(at(7)))
    );
    assert_eq!(
        use_session(&state, &server, "alice", 9).await,
        (None, Some(at(5)))
    );
    let visible = visible_tasks(&state, &server, owner("alice"), &["1", "2"], at(9)).await;
    assert_eq!(visible, Ok(vec![true, true]));
    assert!(!metrics.text().contains("mcp_authz_bindings_total{"));
}

#[tokio::test]
async fn only_ones_own_tasks_are_visible() {
    let (state, metrics) = (memory(), Metrics::new());
    for (binding, expected) in [
        (SessionBinding::On, [true, false, true]),
        (SessionBinding::Strict, [true, false, false]),
    ] {
        let server = server("notes", binding);
        bind_issued(
            &state,
            &metrics,
            &server,
            owner("alice"),
            BindingKey::task(&server.name, "a"),
            at(0),
        )
        .await
        .unwrap();
        bind_issued(
            &state,
            &metrics,
            &server,
            owner("bob"),
            BindingKey::task(&server.name, "b"),
            at(0),
        )
        .await
        .unwrap();
        let visible = visible_tasks(&state, &server, owner("alice"), &["a", "b", "c"], at(1)).await;
        assert_eq!(visible, Ok(expected.to_vec()), "{binding:?}");
    }
}

fn with_room_for(bindings_max: usize) -> Memory {
    Memory::new(StateSettings {
        bindings_max,
        ..StateSettings::default()
    })
}

#[tokio::test]
async fn what_was_forgotten_is_unknown_and_nobodys_to_take() {
    let (state, metrics) = (with_room_for(1), Metrics::new());
    let server = server("notes", SessionBinding::On);
    let issue = async |id: &str, key: BindingKey| {
        bind_issued(&state, &metrics, &server, owner(id), key, at(1))
            .await
            .unwrap();
    };
    let (_, started) = use_session(&state, &server, "alice", 0).await;
    assert_eq!(started, Some(at(0)));
    issue("bob", BindingKey::session(&server.name, "another")).await;
    for id in ["mallory", "alice"] {
        let used = use_session(&state, &server, id, 2).await;
        assert_eq!(used, (Some(Reason::SessionUnknown), None), "{id}");
    }
    issue("alice", BindingKey::session(&server.name, "s")).await;
    let used = use_session(&state, &server, "alice", 3).await;
    assert_eq!(used, (None, Some(at(1))));

    issue("alice", BindingKey::task(&server.name, "1")).await;
    issue("alice", BindingKey::task(&server.name, "2")).await;
    let visible = visible_tasks(&state, &server, owner("alice"), &["1", "2", "3"], at(2)).await;
    assert_eq!(visible, Ok(vec![false, true, true]));
    let alice = subject("alice");
    let used = UsedBindings::of(&server, &alice, None, [Resource::Task("1")].into_iter());
    let found = used.find(&state, false, at(2)).await.unwrap();
    assert_eq!(found.refusal, Some((Reason::TaskUnknown, 0)));
}

#[tokio::test]
async fn what_finds_no_room_is_refused_after_all() {
    let (state, server) = (with_room_for(1), server("notes", SessionBinding::On));
    let (_, started) = use_session(&state, &server, "alice", 0).await;
    assert_eq!(started, Some(at(0)));
    let bob = subject("bob");
    let used = UsedBindings::of(&server, &bob, Some("t"), [Resource::Server].into_iter());
    let mut found = used.find(&state, false, at(1)).await.unwrap();
    assert_eq!(found.refusal, None);
    used.claim(&mut found, &state, at(1)).await.unwrap();
    assert_eq!(found.refusal, Some((Reason::SessionUnknown, 0)));
    assert_eq!(found.bound, []);
    assert_eq!(
        use_session(&state, &server, "alice", 2).await,
        (None, Some(at(0)))
    );
}

#[tokio::test]
async fn a_session_that_was_forgotten_does_not_look_young() {
    let server = server("notes", SessionBinding::Off);
    let state = with_room_for(1);
    let alices = use_session(&state, &server, "alice", 0).await;
    assert_eq!(alices, (None, Some(at(0))));
    // There is no room to remember since when.
    assert_eq!(use_session(&state, &server, "bob", 1).await, (None, None));
    // A day later hers is forgotten for his, and not young when she comes again.
    let day = 24 * 60 * 60;
    let bobs = use_session(&state, &server, "bob", day).await;
    assert_eq!(bobs, (None, Some(at(day))));
    let alices = use_session(&state, &server, "alice", day + 1).await;
    assert_eq!(alices, (None, None));
}

/// A store that says less than it was asked.
#[derive(Debug)]
struct Terse;

impl WindowStore for Terse {
    fn read<'a>(
        &'a self,
        _: &'a [crate::authz::WindowDemand],
        _: Timestamp,
    ) -> Reply<'a, crate::authz::Readings> {
        Reply::Now(std::future::ready(Err(StateUnavailable)))
    }

    fn record<'a>(&'a self, _: &'a [crate::authz::WindowDemand], _: Timestamp) -> Reply<'a, ()> {
        Reply::Now(std::future::ready(Err(StateUnavailable)))
    }
}

impl LimitStore for Terse {
    fn take<'a>(
        &'a self,
        _: &'a [crate::authz::LimitDemand],
        _: Timestamp,
    ) -> Reply<'a, crate::authz::Taken> {
        Reply::Now(std::future::ready(Err(StateUnavailable)))
    }
}

impl BindingStore for Terse {
    fn bindings<'a>(
        &'a self,
        _: &'a [BindingKey],
        _: Owner,
        _: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        Reply::Now(std::future::ready(Ok(Vec::new())))
    }

    fn bind<'a>(
        &'a self,
        _: &'a [BindingKey],
        _: Owner,
        _: Bind,
        _: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        Reply::Now(std::future::ready(Ok(Vec::new())))
    }
}

#[tokio::test]
async fn a_store_that_says_too_little_has_said_nothing() {
    let (state, server) = (memory(), server("notes", SessionBinding::On));
    let alice = subject("alice");
    let metrics = Metrics::new();
    let used = UsedBindings::of(&server, &alice, Some("s"), std::iter::empty());
    assert!(used.find(&Terse, false, at(0)).await.is_err());
    let mut found = used.find(&state, false, at(0)).await.unwrap();
    assert!(used.claim(&mut found, &Terse, at(0)).await.is_err());
    assert_eq!(found.bound, []);
    let bound = bind_issued(
        &Terse,
        &metrics,
        &server,
        owner("alice"),
        BindingKey::session(&server.name, "s"),
        at(0),
    )
    .await;
    assert_eq!(bound, Err(StateUnavailable));
    let visible = visible_tasks(&Terse, &server, owner("alice"), &["1"], at(0)).await;
    assert_eq!(visible, Err(StateUnavailable));
}

#[test]
fn headers_that_nobody_judged_do_not_go_on() {
    let names = [
        "mcp-session-id",
        "mcp_session_id",
        "mcp-session-id",
        "mcp_session_ids",
        "x",
    ];
    let request = HttpRequest {
        headers: names.map(|name| (name.into(), "s".into())).into(),
        ..HttpRequest::default()
    };
    assert_eq!(unjudged_headers(&request, Some("s")), ["mcp_session_id"]);
    let all = ["mcp-session-id", "mcp_session_id"];
    assert_eq!(unjudged_headers(&request, None), all);
}
