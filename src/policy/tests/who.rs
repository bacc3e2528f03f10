//! `who`.

use super::*;

#[test]
fn who_selects_callers() {
    for (selectors, expected) in [
        ("who: {issuers: ['https://idp']}", "yes"),
        ("who: {issuers: ['https://other']}", "no"),
        ("who: {subjects: [bob, alice]}", "yes"),
        ("who: {subjects: [Alice]}", "no"),
        ("who: {groups: [oncall]}", "yes"),
        ("who: {groups: [sales]}", "no"),
        ("who: {roles: [dev]}", "yes"),
        ("who: {roles: [ops]}", "no"),
        ("who: {scopes: ['repo:read']}", "yes"),
        ("who: {scopes: ['repo:*']}", "lacks"),
        ("who: {scopes: [other], groups: [oncall]}", "lacks"),
        ("who: {scopes: [other], groups: [sales]}", "no"),
        ("who: {scopes: [other], claims: {org: core}}", "no"),
        ("who: {scopes: [other], not: {scopes: ['repo:read']}}", "no"),
        ("who: {tenants: [acme]}", "no"),
        ("who: {not: {tenants: [acme]}}", "yes"),
        ("who: {agents: [cursor]}", "yes"),
        ("who: {agents: [desktop]}", "no"),
        ("who: {peers: ['spiffe://td/agent']}", "yes"),
        ("who: {peers: ['spiffe://td/other']}", "no"),
        ("who: {anyone: true}", "yes"),
        ("who: {anyone: true, not: {groups: [oncall]}}", "no"),
        ("who: {groups: [engineering], agents: [desktop]}", "no"),
        (
            "who: {groups: [engineering], not: {agents: [desktop]}}",
            "yes",
        ),
        ("who: {claims: {'https://x.y/level': 3}}", "yes"),
        ("who: {claims: {'https://x.y/level': [1, 5]}}", "no"),
        ("who: {claims: {'https://x.y/level': '3'}}", "?"),
        ("who: {claims: {org.unit: core}}", "yes"),
        ("who: {claims: {org.none: core}}", "no"),
        ("who: {claims: {org: core}}", "?"),
        ("who: {claims: {org.unit: Core}}", "?"),
        ("who: {not: {claims: {org.unit: Core}}}", "?"),
        ("who: {claims: {org.unit.deep: core}}", "?"),
        ("who: {claims: {tags: b}}", "yes"),
        ("who: {claims: {tags: c}}", "no"),
    ] {
        check(selectors, &SampleCall::default(), expected);
    }
    let mut left_out = SampleCall::default();
    left_out.subject.unknown.groups = true;
    for (selectors, expected) in [
        ("who: {groups: [oncall]}", "yes"),
        ("who: {groups: [sales]}", "?"),
        ("who: {not: {groups: [sales]}}", "?"),
        ("who: {roles: [ops]}", "no"),
    ] {
        check(selectors, &left_out, expected);
    }
    let nobody = SampleCall {
        peer: None,
        ..SampleCall::default()
    };
    check("who: {peers: ['spiffe://td/agent']}", &nobody, "no");
    check("who: {not: {peers: ['spiffe://td/agent']}}", &nobody, "yes");
}
