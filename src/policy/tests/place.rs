//! `where`.

use super::*;
use crate::authz::{Context, Value};

#[test]
fn where_selects_networks() {
    let from = |address: &str| SampleCall {
        source: Some(address.parse().unwrap()),
        ..SampleCall::default()
    };
    let unknown = SampleCall {
        source: None,
        ..SampleCall::default()
    };
    for (call, selectors, expected) in [
        (&from("10.1.2.3"), "where: {networks: [10.0.0.0/8]}", "yes"),
        (&from("11.1.2.3"), "where: {networks: [10.0.0.0/8]}", "no"),
        (
            &from("::ffff:10.1.2.3"),
            "where: {networks: [10.0.0.0/8]}",
            "yes",
        ),
        (
            &from("10.1.2.3"),
            "where: {networks: ['::ffff:10.0.0.0/104']}",
            "yes",
        ),
        (
            &from("2001:db8::1"),
            "where: {networks: [10.0.0.0/8, '2001:db8::/32']}",
            "yes",
        ),
        (
            &from("2001:db9::1"),
            "where: {networks: ['2001:db8::/32']}",
            "no",
        ),
        (&from("10.1.2.3"), "where: {networks: [10.1.2.3]}", "yes"),
        (
            &from("10.1.2.3"),
            "where: {not: {networks: [10.0.0.0/8]}}",
            "no",
        ),
        (&unknown, "where: {networks: [10.0.0.0/8]}", "?"),
        (&unknown, "where: {not: {networks: [10.0.0.0/8]}}", "?"),
        (
            &unknown,
            "where: {networks: [10.0.0.0/8]}, who: {groups: [sales]}",
            "no",
        ),
        (
            &unknown,
            "where: {networks: [10.0.0.0/8]}, if: subject.id == 'nobody'",
            "no",
        ),
    ] {
        check(selectors, call, expected);
    }
}

#[test]
fn where_selects_countries_and_devices() {
    let device = object(&[
        ("managed", Value::Bool(true)),
        ("os", object(&[("name", text("macos"))])),
        ("tags", Value::List(vec![text("a"), text("b")])),
    ]);
    let plain = SampleCall::default();
    let known = SampleCall {
        context: Context {
            country: Some("DE"),
            device: Some(&device),
            ..Context::default()
        },
        ..SampleCall::default()
    };
    for (call, selectors, expected) in [
        (&plain, "where: {countries: [DE]}", "?"),
        (&plain, "where: {not: {countries: [DE]}}", "?"),
        (&known, "where: {countries: [FR, DE]}", "yes"),
        (&known, "where: {countries: [FR]}", "no"),
        (&known, "where: {not: {countries: [FR]}}", "yes"),
        (
            &known,
            "where: {countries: [DE], networks: [11.0.0.0/8]}",
            "no",
        ),
        (&plain, "where: {device: {managed: true}}", "?"),
        (&plain, "where: {not: {device: {managed: true}}}", "?"),
        (&known, "where: {device: {managed: true}}", "yes"),
        (&known, "where: {device: {managed: false}}", "no"),
        (&known, "where: {device: {managed: 'true'}}", "?"),
        (
            &known,
            "where: {device: {os.name: [linux, macos], tags: b}}",
            "yes",
        ),
        (&known, "where: {device: {os.name: linux}}", "no"),
        (&known, "where: {device: {owner: acme}}", "no"),
        (&known, "where: {device: {os: macos}}", "?"),
        (&known, "if: source.country == 'DE'", "yes"),
        (&known, "if: source.country == 'FR'", "no"),
        (&plain, "if: source.country == 'DE'", "?"),
        (&known, "if: device.managed", "yes"),
        (&known, "if: device.os.name != 'macos'", "no"),
        (&known, "if: has(device.owner)", "no"),
        (&known, "if: device.owner == 'acme'", "?"),
        (&plain, "if: device.managed", "?"),
    ] {
        check(selectors, call, expected);
    }
}
