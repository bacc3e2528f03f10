mod made;
mod outside;

use std::borrow::Cow;
use std::sync::LazyLock;

use super::*;
use crate::authz::peer::Peer;
use crate::authz::request::{AccessRequest, Action, ActionKind, Http, Resource};
use crate::authz::subject::Subject;
use crate::authz::value::Value;
use proptest::prelude::*;

fn subject(claims: Value<'static>) -> Subject {
    Subject {
        issuer: "i".into(),
        id: "s".into(),
        agent: None,
        groups: vec!["g".into()],
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims,
        unknown: crate::authz::UnknownFacts::default(),
    }
}

fn evaluate(expression: &Expression, arguments: &Value<'_>, claims: Value<'static>) -> Match {
    let subject = subject(claims);
    expression.evaluate(&Variables::new(&request(&subject, arguments), None))
}

/// Evaluates an expression as parsed, without precomputation.
fn evaluate_unprepared(program: &cel::Program, variables: &Variables<'_>) -> Match {
    let environment = ENVIRONMENT.as_ref().unwrap();
    let mut context = Context::with_env(Arc::clone(environment));
    context.set_variable_resolver(variables);
    let result = cel::Value::resolve_val(program.expression(), &context);
    let truth = result
        .ok()
        .and_then(|value| value.downcast_ref::<CelBool>().map(|truth| *truth.inner()));
    truth.map_or(Match::Indeterminate, Match::of)
}

/// If servers may read a value differently there is no result; otherwise it is CEL's result.
fn agrees(found: Match, expected: Match) -> bool {
    found == Match::Indeterminate || found == expected
}

fn request<'a>(subject: &'a Subject, arguments: &'a Value<'a>) -> AccessRequest<'a> {
    AccessRequest {
        subject,
        peer: Peer::Absent,
        server: "github",
        action: Action {
            method: "tools/call",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Tool("t"),
        arguments: Some(arguments),
        input: None,
        meta: None,
        protocol_version: None,
        session: None,
        source: None,
        http: Http {
            host: "h",
            path: "/",
            headers: &[],
        },
        now: jiff::Timestamp::UNIX_EPOCH,
        context: crate::authz::request::Context::default(),
    }
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let text = prop_oneof![
        "[a-z0-9:./+-]{0,12}",
        ".{0,8}",
        Just("1".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("9999-12-31T23:59:59.999999999Z".to_owned()),
        Just("0001-01-01T00:00:00Z".to_owned()),
        Just("2016-12-31T23:59:60Z".to_owned()),
        Just("315576000001s".to_owned()),
        Just("9223372036854775807h".to_owned()),
        Just("-0.0000000001ns".to_owned()),
        Just("NaN".to_owned()),
        Just("-23:59".to_owned()),
        Just("Pacific/Apia".to_owned()),
        Just("::ffff:10.0.0.1".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX),
            Just(-1),
            Just(0)
        ]
        .prop_map(Value::Int),
        any::<u64>().prop_map(Value::Uint),
        prop_oneof![any::<f64>(), Just(f64::MAX), Just(-0.0), Just(1e19)]
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::Float),
        text.prop_map(|text| Value::String(Cow::Owned(text))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let members =
            prop::collection::hash_map("[a-c]", inner.clone(), 0..3).prop_map(|members| {
                Value::Map(
                    members
                        .into_iter()
                        .map(|(key, value)| (Cow::Owned(key), value))
                        .collect(),
                )
            });
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::List),
            members
        ]
    })
}

/// Every operator and function of the language over external values.
const EXPRESSIONS: &[&str] = &[
    "args.a == args.b",
    "args.a != args.b",
    "args.a < args.b",
    "args.a <= args.b",
    "args.a > args.b",
    "args.a >= args.b",
    "args.a + args.b == args.c",
    "args.a - args.b == args.c",
    "args.a * args.b == args.c",
    "args.a / args.b == args.c",
    "args.a % args.b == args.c",
    "-args.a == args.b",
    "!args.a",
    "args.a && args.b || args.c",
    "args.a ? args.b : args.c",
    "args.a[args.b] == args.c",
    "args.a in args.b",
    "args.a.b.c == 1",
    "has(args.a.b)",
    "size(args.a) == 1",
    "args.a.size() == 1",
    "args.a.contains(args.b)",
    "args.a.startsWith(args.b)",
    "args.a.endsWith(args.b)",
    "args.a.matches('(a|b*)*c{1,9}$')",
    "bool(args.a)",
    "bytes(args.a) == bytes(args.b)",
    "string(bytes(args.a)) == args.a",
    "double(args.a) == double(args.b)",
    "int(args.a) == 1",
    "int(double(args.a)) == 1",
    "uint(args.a) == 1u",
    "uint(double(args.a)) == 1u",
    "string(args.a) == args.b",
    "dyn(args.a) == type(args.b)",
    "duration(args.a) + duration(args.b) == duration(args.c)",
    "duration(args.a) - duration(args.b) > duration(args.c)",
    "-duration(args.a) == duration(args.b)",
    "string(duration(args.a)) == args.b",
    "timestamp(args.a) + duration(args.b) > now",
    "timestamp(args.a) - duration(args.b) > now",
    "timestamp(args.a) - timestamp(args.b) > duration('1s')",
    "string(timestamp(args.a)) == args.b",
    "int(timestamp(args.a)) == 1",
    "timestamp(args.a).getFullYear(args.b) == 1",
    "timestamp(args.a).getDate(args.b) == timestamp(args.a).getDate()",
    "timestamp(args.a).getDayOfYear(args.b) == timestamp(args.a).getDayOfYear()",
    "timestamp(args.a).getDayOfWeek(args.b) == timestamp(args.a).getDayOfMonth(args.b)",
    "timestamp(args.a).getMonth(args.b) == timestamp(args.a).getMilliseconds(args.b)",
    "timestamp(args.a).getHours(args.b) == timestamp(args.a).getSeconds(args.b)",
    "duration(args.a).getHours() == duration(args.b).getMilliseconds()",
    "duration(args.a).getMinutes() == duration(args.b).getSeconds()",
    "args.a.all(x, x == args.b)",
    "args.a.exists(x, x < args.b)",
    "args.a.exists_one(x, x in args.b)",
    "args.a.map(x, x + x) == args.b",
    "args.a.filter(x, x > 1) == args.b",
    "args.a.map(x, [x, args.b]).exists(y, y[0] == y[1])",
    "{args.a: args.b}[args.c] == 1",
    "[args.a, args.b] + [args.c] == args.a",
    "ip_in(args.a, args.b)",
    "ip_in(args.a, '10.0.0.0/8')",
    "glob(args.a, args.b)",
    "subject.claims == args",
    "subject.claims.a == args.a",
];

/// Every way to read a part of the request by name.
const READINGS: &[&str] = &[
    "has(args.a)",
    "has(args.d) || args.d == 1",
    "has(mcp.arguments.a) && mcp.arguments.a == args.a",
    "args['a'] == args.b",
    "args['d'] == args.b",
    "'a' in args",
    "'d' in mcp.arguments",
    "has(device.a)",
    "device.a == args.a",
    "device['a'] == 1",
    "'a' in device",
    "'c' in subject.claims && subject.claims['c'] == args.a",
    "has(subject.claims.a.b)",
    "subject.claims.c.a == 1",
    "'x-a' in request.headers && request.headers['x-a'] == '1'",
    "request.headers['x-b'] == '1'",
    "has(request.headers.a)",
    "request.headers == {'x-a': '1'}",
    "has(subject.claims) && has(mcp.arguments) && has(request.headers)",
    "has(subject.agent) || subject.tenant == 't'",
    "subject.agent == 'a'",
    "subject['tenant'] == 't'",
    "'g' in subject.groups",
    "has(mcp.class) && mcp.class == 'read'",
    "has(mcp.uri) || mcp.name == 't'",
    "ip_in(source.ip, '10.0.0.0/8')",
    "ip_in(mcp.name, '10.0.0.0/8')",
    "glob(mcp.name, '[t]') || glob(mcp.name, 't*')",
    "matches(mcp.name, '^[a-t]$') && !mcp.name.matches('^x')",
    "subject.groups.all(g, g.matches('^g'))",
    "args.a.b.matches('x')",
];

/// All of them, with their parsed programs.
static PARSED: LazyLock<Vec<(Expression, cel::Program)>> = LazyLock::new(|| {
    let environment = ENVIRONMENT.as_ref().unwrap();
    let parse = |text: &&str| {
        let expression = Expression::compile(text).unwrap();
        (expression, environment.compile(text).unwrap())
    };
    EXPRESSIONS.iter().chain(READINGS).map(parse).collect()
});

static COMPILED: LazyLock<Vec<Expression>> = LazyLock::new(|| {
    EXPRESSIONS
        .iter()
        .map(|text| Expression::compile(text).unwrap())
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_makes_an_evaluation_panic(a in value(), b in value(), c in value()) {
        let members = [("a", &a), ("b", &b), ("c", &c)];
        let members = members.into_iter().map(|(key, value)| (Cow::Borrowed(key), value.clone()));
        let arguments = Value::Map(members.collect());
        for expression in COMPILED.iter() {
            let first = evaluate(expression, &arguments, a.clone());
            let again = evaluate(expression, &arguments, a.clone());
            prop_assert_eq!(first, again, "{}", expression.as_str());
            prop_assert!(first != Match::Unknown);
            prop_assert!(evaluate(expression, &a, b.clone()) != Match::Unknown);
        }
    }

    #[test]
    fn a_result_is_the_one_that_the_language_gives(a in value(), b in value(), c in value()) {
        let object = |members: [(&'static str, &Value<'static>); 2]| {
            let members = members.map(|(key, value)| (Cow::Borrowed(key), value.clone()));
            Value::Map(members.into())
        };
        let (arguments, claims) = (object([("a", &a), ("b", &b)]), object([("a", &b), ("c", &a)]));
        let subject = Subject { tenant: Some("t".into()), ..subject(claims) };
        let headers = [(Cow::Borrowed("x-a"), Cow::Borrowed("1"))];
        let mut request = request(&subject, &arguments);
        request.http.headers = &headers;
        request.context.device = Some(&c);
        request.source = Some([10, 0, 0, 1].into());
        let variables = Variables::new(&request, Some("read"));
        for (expression, program) in PARSED.iter() {
            let expected = evaluate_unprepared(program, &variables);
            prop_assert!(agrees(expression.evaluate(&variables), expected), "{}", expression.as_str());
        }
        let mut bare = request;
        bare.arguments = None;
        bare.context.device = None;
        let variables = Variables::new(&bare, None);
        for (expression, program) in PARSED.iter() {
            let expected = evaluate_unprepared(program, &variables);
            prop_assert!(agrees(expression.evaluate(&variables), expected), "{}", expression.as_str());
        }
    }

    #[test]
    fn no_text_makes_a_compilation_panic(text in "[a-z0-9 .,()\\[\\]{}?:'\"!&|=<>+*/%-]{0,40}") {
        let errors = Expression::compile(&text).err();
        prop_assert!(errors.is_none_or(|errors| !errors.is_empty()));
    }
}

#[test]
fn a_pattern_that_takes_too_much_is_refused() {
    let errors = Expression::compile(r"args.a.matches('\\w{200}\\w{200}')").unwrap_err();
    let message = r"`\w{200}\w{200}` takes more than 1024 KiB once it is compiled";
    assert_eq!(errors.len(), 1);
    assert_eq!(
        (errors[0].message.as_str(), errors[0].column),
        (message, Some(16))
    );
    Expression::compile(r"args.a.matches('[0-9a-z]{200}')").unwrap();
}

/// 4 KiB is what `cel_bytes_max` allows by default; the stack is that of a worker thread.
#[test]
fn hostile_texts_do_not_exhaust_the_stack() {
    let texts = [
        "(".repeat(4096),
        "[".repeat(4096),
        "{1:".repeat(1365),
        "!".repeat(4096),
        "-".repeat(4096),
        format!("1{}", "+1".repeat(2047)),
        format!("a{}", ".b".repeat(2047)),
        format!("a{}", "[0]".repeat(1365)),
        format!("true{}", "&&true".repeat(682)),
        format!("{}true", "true||".repeat(682)),
        format!("{}1", "1?1:".repeat(1023)),
        format!("{}1", "1?".repeat(2047)),
        format!("{}1", "1<".repeat(2047)),
        format!("{}1{}", "size(".repeat(680), ")".repeat(680)),
        format!("a{}", ".f()".repeat(1023)),
        format!("args{}", ".all(x,true)".repeat(340)),
        format!(
            "'{}' == 'x' || r'\\' == '{}'",
            "(".repeat(1000),
            "+".repeat(1000)
        ),
        format!(
            "true // don't {}\n{}",
            "(".repeat(1000),
            "&& true ".repeat(300)
        ),
        format!("{}true{}", "(".repeat(48), ")".repeat(48)),
        format!("1{} == 1", "+1".repeat(45)),
        "args.a == '\\'' || ".repeat(2) + "args.a" + &".b".repeat(45),
        format!("true && '{}' + r'", "(".repeat(100)),
        format!("{}1{} == []", "[".repeat(44), "]".repeat(44)),
        format!(
            "{}{}{}",
            "f(".repeat(23),
            "args.a".to_owned() + &".b".repeat(24),
            ")".repeat(23)
        )
        .replace("f(", "size("),
        format!("{}true", "true?true:".repeat(20)),
        format!("{}true", "(true) && !".repeat(300)),
    ];
    let worker = std::thread::Builder::new().stack_size(2 << 20);
    let work = move || {
        let good = |text: String| {
            Expression::compile(&text)
                .ok()
                .map(|expression| evaluate(&expression, &Value::Null, Value::Null))
        };
        texts.map(good)
    };
    let outcomes = worker.spawn(work).unwrap().join().unwrap();
    let good: Vec<usize> = (0..outcomes.len())
        .filter(|at| outcomes[*at].is_some())
        .collect();
    assert_eq!(good, [8, 9, 16, 17, 18, 19, 20, 22, 24, 25]);
}

#[test]
fn a_field_that_is_selected_by_index_is_the_field() {
    let arguments = Value::Map(vec![(Cow::Borrowed("force"), Value::String("true".into()))]);
    let claims = || Value::Map(vec![(Cow::Borrowed("staff"), Value::String("true".into()))]);
    for text in [
        "args.force == true",
        "mcp.arguments.force == true",
        r#"mcp["arguments"].force == true"#,
        r#"mcp["arguments"]["force"] == true"#,
        r#"mcp["arguments"].exists(key, key == "Force")"#,
        "subject.claims.staff == true",
        r#"subject["claims"].staff == true"#,
        r#"subject["claims"]["staff"] == true"#,
        r#"has(subject["claims"].staff) && subject["claims"].staff == true"#,
    ] {
        let expression = Expression::compile(text).unwrap();
        let found = evaluate(&expression, &arguments, claims());
        assert_eq!(found, Match::Indeterminate, "{text}");
    }
    let subject = subject(claims());
    let mut request = request(&subject, &arguments);
    request.resource = Resource::Uri("note://s/x/");
    for text in [
        r#"mcp.uri == "note://s/x""#,
        r#"mcp["uri"] == "note://s/x""#,
    ] {
        let expression = Expression::compile(text).unwrap();
        let found = expression.evaluate(&Variables::new(&request, None));
        assert_eq!(found, Match::Indeterminate, "{text}");
    }
}

#[test]
fn a_text_that_no_folded_uri_is_or_begins_with_is_refused() {
    for (text, right) in [
        (r#"mcp.uri_folded == "note://s/x""#, Some("note:s/x")),
        (r#"mcp.uri_folded == "note:S/x""#, Some("note:s/x")),
        (r#"mcp.uri_folded == "note:s//x""#, Some("note:s/x")),
        (r#""note:s/x?q" != mcp["uri_folded"]"#, Some("note:s/x")),
        (
            r#"mcp.uri_folded in ["note:s/x", "note:s/y;v"]"#,
            Some("note:s/y"),
        ),
        (r#"mcp.uri_folded.startsWith("note://")"#, Some("note:")),
        (r#"mcp.uri_folded.startsWith("note:/")"#, Some("note:")),
        (r#"mcp.uri_folded.startsWith("note:s/A")"#, Some("note:s/a")),
        (
            r#"mcp.uri_folded.startsWith("note:s/x?")"#,
            Some("note:s/x"),
        ),
        (r#"mcp.uri_folded == "note:s/x""#, None),
        (r#"mcp.uri_folded == "https:example.com/x%c3""#, None),
        (r#"mcp.uri_folded in ["note:s/x", subject.id]"#, None),
        (r#"mcp.uri_folded.startsWith("note:s/")"#, None),
        (r#"mcp.uri_folded.startsWith("note:")"#, None),
        (r#"mcp.uri_folded.startsWith("urn:a:")"#, None),
        (r#"mcp.uri_folded.startsWith("no")"#, None),
        (
            r#"mcp.uri == "note://s/x" && mcp.uri.startsWith("note://S")"#,
            None,
        ),
    ] {
        let errors = Expression::compile(text).err().unwrap_or_default();
        let helps: Vec<&str> = errors.iter().map(|error| error.help.as_str()).collect();
        let right = right.map(|right| format!("the folded form is `{right}`"));
        assert_eq!(helps, right.as_deref().as_slice(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_folded_uri_is_its_own_fold(text in "(note|https|urn):(//)?[a-zA-Z0-9;:/%A-F3.?=]{0,24}", cut in 0_usize..24) {
        use crate::authz::uri::{shown_fold, shown_fold_start};
        let folded = shown_fold(&text);
        // No normal URI has an escaped `%`.
        prop_assume!(!text.contains("%2"));
        prop_assert_eq!(&shown_fold(&folded), &folded);
        if let Some(start) = folded.get(..cut) {
            prop_assert_eq!(&shown_fold_start(start), start);
        }
    }
}

/// Reasons for having no result, over one request.
const REASONS: &[(&str, &str)] = &[
    (
        "args.force == true",
        "servers may read it differently (`if` reads `args.force`)",
    ),
    ("args.x == 1", "there is no `args.x`"),
    (
        r#"args.owner == "x""#,
        "a server may treat the key `Owner` as `args.owner`",
    ),
    (
        "has(args.a.b)",
        "`args.a.b` leads into a value that is not an object",
    ),
    ("device.managed == true", "the device is unknown"),
    (
        r#""g" in subject.groups"#,
        "the token leaves `subject.groups` out",
    ),
    (
        "has(subject.claims.groups)",
        "the token leaves `subject.claims.groups` out",
    ),
    (r#"subject.tenant == "x""#, "there is no `subject.tenant`"),
    (
        r#"mcp.uri == "note://s/x""#,
        "the URI is not in normal form",
    ),
    ("has(mcp.uri_folded)", "the URI is not in normal form"),
    (
        r#"request.headers["x-a"] == "x""#,
        "there is no header `x-a`",
    ),
    (
        "num(args.force) > 1.0",
        "not of the one form that is accepted (`if` reads `args.force`)",
    ),
    (
        r#"ip_in(subject.id, "10.0.0.0/8")"#,
        "`ip_in`: not an address (`if` reads `subject.id`)",
    ),
    (
        "args.list.exists(one, one.b == 1)",
        "no members (`if` reads `args.list`)",
    ),
    ("args.list", "it is neither true nor false"),
    (
        "dyn(subject.id) > 1",
        "`>` is not defined for this value (`if` reads `subject.id`)",
    ),
    (
        "args.list.contains(\"x\")",
        "`contains` is not defined for this value (`if` reads `args.list`)",
    ),
];

#[test]
fn the_reason_for_having_no_result_is_explained() {
    let map = |members: Vec<(&'static str, Value<'static>)>| {
        let members = members.into_iter();
        Value::Map(
            members
                .map(|(key, value)| (Cow::Borrowed(key), value))
                .collect(),
        )
    };
    let text = |text: &'static str| Value::String(text.into());
    let arguments = map(vec![
        ("force", text("true")),
        ("Owner", text("x")),
        ("a", text("x")),
        ("list", Value::List(vec![text("x")])),
    ]);
    let claims = map(vec![("hasgroups", Value::Bool(true))]);
    let mut subject = subject(claims);
    subject.unknown.groups = true;
    let mut request = request(&subject, &arguments);
    request.resource = Resource::Uri("NOTE://s/x");
    for (text, expected) in REASONS {
        let expression = Expression::compile(text).unwrap();
        let variables = Variables::new(&request, None);
        let (told, fact) = expression.no_result(&variables).unwrap();
        assert_eq!(told, *expected, "{text}");
        // The record has no text of the request.
        let is_of_request = told.contains("Owner") || told.contains("ip_in");
        assert_eq!(fact != told, is_of_request, "{fact}");
        assert!(!fact.contains("Owner"), "{fact}");
        assert_eq!(
            expression.evaluate(&variables),
            Match::Indeterminate,
            "{text}"
        );
    }
    let expression = Expression::compile("true").unwrap();
    assert_eq!(expression.no_result(&Variables::new(&request, None)), None);
}
