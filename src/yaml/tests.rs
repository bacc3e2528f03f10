use std::time::Duration;

use super::*;

fn read(text: &str) -> (Option<Node>, Findings) {
    let mut findings = Findings::new();
    let source = findings.add_source(Source {
        name: "f.yaml".into(),
        text: text.into(),
    });
    let node = parse(source, &mut findings);
    (node, findings)
}

#[test]
fn text_that_is_not_a_good_tree_is_refused_with_its_place() {
    for (text, expected) in [
        (
            "a: 1\na: 2\n",
            "f.yaml:2:1: error: `a` is given twice (keep one of them)",
        ),
        (
            "1: x\n",
            "f.yaml:1:1: error: a key must be a string, found an integer (quote it)",
        ),
        (
            "a: *b\n",
            "f.yaml:1:4: error: not valid YAML: while parsing node, found unknown anchor",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "f.yaml:2:1: error: a second document in one file (use one file each)",
        ),
    ] {
        let (node, findings) = read(text);
        assert_eq!(node, None, "{text}");
        assert_eq!(findings.to_lines(), [expected], "{text}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        let items = vec![below; 10].join(", ");
        text += [
            "a",
            &level.to_string(),
            ": &a",
            &level.to_string(),
            " [",
            &items,
            "]\n",
        ]
        .concat()
        .as_str();
    }
    let (node, findings) = read(&text);
    assert_eq!(node, None);
    assert!(
        findings.to_lines()[0].contains("more than 2000000 values"),
        "{findings:?}"
    );
}

#[test]
fn every_wrong_member_is_reported_at_once() {
    let text = "adress: x\nport: 70000\nwait: 5\nmode: shout\nnets: [10.0.0.1/8, nowhere]\n";
    let (node, mut findings) = read(text);
    let node = node.unwrap();
    let mut fields = Fields::open(&node, "the file", &mut findings).unwrap();
    assert_eq!(fields.required("address", &mut findings, string), None);
    assert_eq!(
        fields.optional("port", &mut findings, integer(1..=65535)),
        None
    );
    let wait = duration(Duration::ZERO..=Duration::from_mins(1));
    assert_eq!(fields.optional("wait", &mut findings, wait), None);
    let mode = choice(&[("quiet", 1), ("loud", 2)]);
    assert_eq!(fields.optional("mode", &mut findings, mode), None);
    let nets = fields.optional("nets", &mut findings, |node, findings| {
        list(node, findings, network)
    });
    assert_eq!(nets, None);
    fields.finish(&mut findings);
    assert_eq!(
        findings.to_lines(),
        [
            "f.yaml:1:1: error: unknown key `adress` (did you mean `address`?)",
            "f.yaml:1:1: error: `address` is missing",
            "f.yaml:2:7: error: `70000` is out of range (from 1 to 65535)",
            "f.yaml:3:7: error: expected a duration with its unit, such as `30s`, found an integer",
            "f.yaml:4:7: error: unknown value `shout` (known here: `quiet`, `loud`)",
            "f.yaml:5:8: error: `10.0.0.1/8` has bits set behind its prefix (`10.0.0.0/8`)",
            "f.yaml:5:20: error: `nowhere` is not a network (an address or a network such as `10.0.0.0/8`)",
        ]
    );
    assert!(
        findings.render(false).contains("--> f.yaml:2:7"),
        "{}",
        findings.render(false)
    );
}

#[test]
fn positions_count_characters_not_bytes() {
    let (node, mut findings) = read("grüße: ok\nä: {x: ö, y: 1}\n");
    let node = node.unwrap();
    let mut fields = Fields::open(&node, "the file", &mut findings).unwrap();
    let inner = fields.node_of("ä").unwrap();
    let mut inner = Fields::open(inner, "ä", &mut findings).unwrap();
    inner.optional("y", &mut findings, boolean);
    assert_eq!(
        findings.to_lines(),
        ["f.yaml:2:14: error: expected `true` or `false`, found an integer"]
    );
}

/// What a finding costs to place and to show does not grow with the file, be it many lines or one.
#[test]
fn many_findings_cost_what_they_show() {
    let many = 20_000;
    for separator in ["\n", " "] {
        let text = ["- {id: r}", separator].concat().repeat(many);
        let length = text.len();
        let step = length / many;
        let mut findings = Findings::new();
        let source = findings.add_source(Source {
            name: "f.yaml".to_owned(),
            text,
        });
        // The last first, so that no order helps.
        for index in (0..many).rev() {
            let start = index * step + 2;
            findings.error_at(source, start..start + 3, "wrong", "");
        }
        let before = lines::effort::looked_at();
        let first = findings.first_lines(100);
        assert_eq!(first.len(), 100);
        let cost = lines::effort::looked_at() - before;
        assert!(cost < length + 100 * 512, "{cost} bytes for {length}");
        assert_eq!(findings.to_lines().len(), many);
        assert_eq!(findings.to_lines()[..100], first);
        let cost = lines::effort::looked_at() - before;
        assert!(cost < length + 3 * many * 512, "{cost} bytes for {length}");

        let shown = findings.render(false);
        assert!(shown.ends_with(&format!("\n\nand {} more", many - 1000)));
        // Where one line has them all, it is not shown a thousand times.
        assert!(shown.len() < 1000 * 200, "{} bytes", shown.len());
        let second = if separator == "\n" { "2:3" } else { "1:13" };
        assert!(
            shown.contains(&format!("--> f.yaml:{second}\n")),
            "{}",
            shown.chars().take(400).collect::<String>()
        );
    }
}

#[test]
fn an_excerpt_is_of_the_lines_that_the_finding_is_on() {
    let text = "first: 1\nsecond:\n  a: \u{e9}\n  b: 2\nthird: 3\n";
    let mut findings = Findings::new();
    let source = findings.add_source(Source {
        name: "f.yaml".to_owned(),
        text: text.to_owned(),
    });
    for part in ["second", "a: \u{e9}\n  b: 2", "3"] {
        let start = text.rfind(part).unwrap();
        findings.error_at(source, start..start + part.len(), "wrong", "");
    }
    findings.error_at(source, text.len()..text.len(), "at the end", "");
    let expected = "\
error: wrong
 --> f.yaml:2:1
  |
2 | second:
  | ^^^^^^";
    let shown = findings.render(false);
    assert!(shown.starts_with(expected), "{shown}");
    for part in [
        "3 | ",
        "a: \u{e9}",
        "4 | ",
        "b: 2",
        "--> f.yaml:5:8",
        "--> f.yaml:6:1",
    ] {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }
}

/// Nor with a finding about something else on its line.
#[test]
fn what_may_be_a_secret_is_not_shown() {
    let text = "a: open\nb: {c: secret, d: e}\nf: open\n";
    let (node, mut findings) = read(text);
    let root = node.unwrap();
    let b = root.member("b").unwrap();
    findings.hide(b.member("c").unwrap());
    for node in [
        root.member("a"),
        Some(b),
        b.member("c"),
        b.member("d"),
        root.member("f"),
    ] {
        findings.error(node.unwrap(), "wrong", "");
    }
    let shown = findings.render(false);
    assert!(!shown.contains("secret"), "{shown}");
    assert!(
        shown.contains("a: open") && shown.contains("f: open"),
        "{shown}"
    );
    assert_eq!(shown.matches("f.yaml:2:").count(), 3, "{shown}");

    // Nor where the findings are taken over by others.
    let mut others = Findings::new();
    others.add_source(Source {
        name: "g.yaml".into(),
        text: text.into(),
    });
    others.absorb(findings);
    assert_eq!(others.render(false), shown);
}

#[test]
fn a_mistake_at_a_character_of_several_bytes_is_shown() {
    for mark in ["\u{feff}", "\u{e9}", "\u{1f600}"] {
        let (node, findings) = read(&format!("a: 1\nb{mark}: 2\nc{mark}\n"));
        assert_eq!(node, None);
        assert!(findings.render(false).contains("--> f.yaml:"), "{mark}");
    }
    let mut findings = Findings::new();
    let source = findings.add_source(Source {
        name: "f.yaml".to_owned(),
        text: "a: \u{1f600}\n".to_owned(),
    });
    for (start, end) in [(3, 4), (4, 6), (5, 99), (7, 7), (99, 99)] {
        findings.error_at(source, start..end, "wrong", "");
    }
    assert_eq!(findings.render(false).matches("--> f.yaml:").count(), 5);
}
