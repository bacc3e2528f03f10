use super::refused;

/// Each issuer defines the facts about the device in its tokens.
#[test]
fn the_device_is_a_name_if_tokens_of_several_issuers_describe_it() {
    let whose = "who: {issuers: ['https://a.test']}";
    let in_who = "name the issuers with `issuers` in `who`";
    let in_if = "name the issuer in `if` instead: `!(subject.issuer == \"…\" && device.… == …)`, with \
                 what exempts after the `&&`";
    let expression =
        "name the issuer: `!(subject.issuer == \"…\" && …)`, with what exempts after the `&&`";
    let exempt = "if: '!(subject.issuer == \"https://a.test\" && device.managed == true)'";
    for (rule, what, help, mended) in [
        (
            "effect: allow, who: {anyone: true}, where: {device: {managed: true}}",
            "`device`",
            in_who,
            format!("effect: allow, {whose}, where: {{device: {{managed: true}}}}"),
        ),
        (
            "effect: allow, who: {anyone: true}, where: {not: {device: {managed: false}}}",
            "`device`",
            in_who,
            format!("effect: allow, {whose}, where: {{not: {{device: {{managed: false}}}}}}"),
        ),
        (
            "effect: deny, where: {not: {device: {managed: true}}}",
            "`device`",
            in_if,
            format!("effect: deny, {exempt}"),
        ),
        (
            "effect: deny, where: {device: {managed: false}}",
            "`device`",
            in_if,
            format!("effect: deny, {exempt}"),
        ),
        (
            "effect: deny, if: device.managed != true",
            "the names in the expression",
            expression,
            format!("effect: deny, {exempt}"),
        ),
    ] {
        let on = |server: &str, rule: &str| {
            format!("{rule}, what: {{servers: [own, {server}], methods: [tools/call]}}")
        };
        let found = refused(&on("posture", rule), true);
        assert_eq!(found.len(), 1, "{rule}: {found:#?}");
        let message = format!("{what} may come from any issuer that `posture` accepts ({help})");
        assert!(found[0].ends_with(&message), "{rule}: {found:#?}");
        assert_eq!(refused(&on("posture", &mended), true), [""; 0], "{mended}");
        let told_by_one = on("mixed", rule);
        assert_eq!(refused(&told_by_one, true), [""; 0], "{told_by_one}");
    }
    let only_refuses =
        "effect: deny, where: {device: {jailbroken: true}}, what: {servers: [posture]}";
    assert_eq!(refused(only_refuses, true), [""; 0]);
}
