//! What a row comes to against what it must come to, and what holds for every row.

use std::collections::HashMap;

use mcp_authz::check::Reason;
use mcp_authz::envoy::proto::envoy::config::core::v3::HeaderValueOption;
use mcp_authz::envoy::proto::envoy::service::auth::v3::check_response::HttpResponse;
use mcp_authz::envoy::proto::envoy::service::auth::v3::{
    CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use prost_types::value::Kind;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::request::Built;
use super::table::{Expect, Ids};

/// What of a part is not so in the whole.
pub(super) fn part(expected: &Value, actual: &Value) -> Vec<String> {
    let mut faults = Faults(Vec::new());
    faults.part("notice", expected, actual);
    faults.0
}

/// Whether a text is one of these names, or one without that of its server.
fn is_in_a_name(text: &str, names: &[&Value]) -> bool {
    let is_of = |name: &str| {
        let rest = name.strip_suffix(text);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    names.iter().filter_map(|name| name.as_str()).any(is_of)
}

/// Everything that is not as it must be, one line for each.
pub(super) fn faults(
    expect: &Expect,
    built: &Built,
    response: &CheckResponse,
    record: &str,
) -> Vec<String> {
    let mut faults = Faults(Vec::new());
    let metadata = metadata(response);
    let told: Value = serde_json::from_str(record).unwrap();
    faults.same("decision", &*expect.decision, &told["decision"]);
    faults.same("reason", &*expect.reason, &told["reason"]);
    for key in ["reason", "decision_id"] {
        faults.same(
            &format!("metadata {key}"),
            told[key].clone(),
            &metadata[key],
        );
    }
    let decision = Reason::ALL
        .iter()
        .find(|reason| Some(reason.code()) == told["reason"].as_str())
        .map(|reason| reason.decision().name());
    faults.same("decision of the reason", decision, &told["decision"]);
    if let Some(rule) = &expect.rule {
        faults.same("rule", &**rule, &metadata["rule"]);
    }
    if let Some(part) = &expect.audit {
        faults.part("audit", part, &told);
    }
    if let Some(part) = &expect.metadata {
        faults.part("metadata", part, &metadata);
    }
    let code = Value::from(response.status.as_ref().map(|status| status.code));
    match (response.http_response.as_ref().unwrap(), &*expect.decision) {
        (HttpResponse::OkResponse(ok), "allow") => {
            faults.same("status code", 0, &code);
            faults.same(
                "audited status",
                Value::Null,
                &told["http.response.status_code"],
            );
            faults.allow(expect, ok, &told);
        }
        (HttpResponse::DeniedResponse(denied), "deny" | "reject" | "challenge" | "reply") => {
            let unauthenticated = status(denied) == 401;
            let expected = if unauthenticated { 16 } else { 7 };
            faults.same("status code", expected, &code);
            faults.answer(expect, built, denied, &told);
        }
        (HttpResponse::ErrorResponse(failed), "fail") => {
            faults.same("status code", 14, &code);
            faults.same("status", 503, &status(failed).into());
            faults.header(failed, "retry-after", Some("5"));
            faults.answer(expect, built, failed, &told);
        }
        (other, _) => faults.0.push(format!("  answered {other:?}")),
    }
    // The context of a list's answer has the session's id: Envoy has seen it, and carries it back.
    let mut said = response.clone();
    if let Some(facts) = &mut said.dynamic_metadata {
        facts.fields.remove("response_context");
    }
    let answered = format!("{said:?}");
    // The name of an inner tool is an argument, and evidence; it may be that of the outer one, and
    // that of its server may stand before it.
    let inner = &told["inner"];
    let named = inner["names"].as_array().into_iter().flatten();
    let named: Vec<&Value> = named.chain([&inner["name"], &told["name"]]).collect();
    let secrets = built.secrets.iter();
    for secret in secrets.filter(|secret| !is_in_a_name(secret, &named)) {
        if record.contains(secret.as_str()) || answered.contains(secret.as_str()) {
            faults
                .0
                .push(format!("  `{secret}` is seen in audit or answer"));
        }
    }
    faults.0
}

struct Faults(Vec<String>);

impl Faults {
    fn same(&mut self, what: &str, expected: impl Into<Value>, actual: &Value) {
        let expected = expected.into();
        if expected != *actual {
            self.0
                .push(format!("  {what}: expected {expected}, got {actual}"));
        }
    }

    /// Everything of `expected` is in `actual`; `null` is for what must not be there.
    fn part(&mut self, at: &str, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => {
                for (key, value) in expected {
                    let there = actual.get(key).unwrap_or(&Value::Null);
                    self.part(&format!("{at}.{key}"), value, there);
                }
            }
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                for (index, (value, there)) in expected.iter().zip(actual).enumerate() {
                    self.part(&format!("{at}[{index}]"), value, there);
                }
            }
            (expected, actual) => self.same(at, expected.clone(), actual),
        }
    }

    fn allow(&mut self, expect: &Expect, ok: &OkHttpResponse, told: &Value) {
        self.same("expected status", Value::Null, &expect.status.into());
        let set = |name: &str| value(&ok.headers, name);
        let id = set("x-mcp-authz-decision-id");
        self.same("upstream decision id", id, &told["decision_id"]);
        for (name, expected) in &expect.upstream.set {
            let actual = Value::from(set(name));
            self.same(&format!("upstream {name}"), expected.clone(), &actual);
        }
        let removed = &ok.headers_to_remove;
        if let Some(expected) = &expect.upstream.removed {
            let expected: Vec<_> = expected.iter().cloned().collect();
            let mut actual = removed.clone();
            actual.sort();
            self.same("upstream removed", expected, &actual.into());
        } else {
            let is_gone = removed.iter().any(|name| name == "authorization");
            self.same("token removed", true, &is_gone.into());
        }
        for header in &ok.headers {
            let named = header.header.as_ref().unwrap();
            // What a rule sets has to be written in the row.
            let is_ours = named.key.starts_with("x-mcp-authz-")
                || expect.upstream.set.contains_key(&named.key);
            let is_plain = named.value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if !is_ours || !is_plain || named.value.is_empty() || header.append_action != 2 {
                self.0.push(format!("  upstream header {header:?}"));
            }
        }
    }

    fn answer(
        &mut self,
        expect: &Expect,
        built: &Built,
        answer: &DeniedHttpResponse,
        told: &Value,
    ) {
        let status = status(answer);
        self.same("status", expect.status, &status.into());
        self.same("audited status", status, &told["http.response.status_code"]);
        for (name, expected) in &expect.headers {
            self.header(answer, name, expected.as_deref());
        }
        let challenge = value(&answer.headers, "www-authenticate");
        self.same(
            "401 has a challenge",
            status == 401,
            &(challenge.is_some() && status == 401).into(),
        );
        if let Some(text) = &expect.text {
            self.same("text", text.clone(), &answer.body.clone().into());
        }
        if status == 202 {
            self.same("202 is empty", "", &answer.body.clone().into());
            return;
        }
        self.header(answer, "content-type", Some("application/json"));
        let Ok(body) = serde_json::from_str::<Value>(&answer.body) else {
            self.0.push(format!("  not JSON: `{}`", answer.body));
            return;
        };
        if let Some(part) = &expect.body {
            self.part("body", part, &body);
        }
        let reason = expect
            .body
            .as_ref()
            .and_then(|body| body.pointer("/error/data/reason"));
        let is_withheld = expect.text.is_some() || reason == Some(&Value::Null);
        if status >= 400 && !is_withheld {
            let data = &body["error"]["data"];
            self.same(
                "reason in the answer",
                expect.reason.clone(),
                &data["reason"],
            );
            self.same(
                "decision id in the answer",
                told["decision_id"].clone(),
                &data["decision_id"],
            );
        }
        self.ids(expect, built, &answer.body);
    }

    /// An answer has the id of its request, byte for byte, or none.
    fn ids(&mut self, expect: &Expect, built: &Built, body: &str) {
        let answered = ids(body);
        match &expect.id {
            Some(Ids::One(id)) => self.same("id", vec![id.clone()], &answered.clone().into()),
            Some(Ids::Batch(ids)) => self.same("ids", ids.clone(), &answered.clone().into()),
            None => {}
        }
        let asked = ids(&String::from_utf8_lossy(&built.body));
        let invented: Vec<_> = answered
            .iter()
            .filter(|id| *id != "null" && !asked.contains(id))
            .collect();
        if !invented.is_empty() {
            self.0.push(format!("  ids nobody sent: {invented:?}"));
        }
    }

    fn header(&mut self, answer: &DeniedHttpResponse, name: &str, expected: Option<&str>) {
        let actual = Value::from(value(&answer.headers, name));
        self.same(&format!("header {name}"), expected, &actual);
    }
}

fn status(answer: &DeniedHttpResponse) -> u16 {
    let code = answer.status.as_ref().map_or(0, |status| status.code);
    u16::try_from(code).unwrap()
}

/// The one value of a header.
fn value(headers: &[HeaderValueOption], name: &str) -> Option<String> {
    let mut values = headers
        .iter()
        .filter_map(|option| option.header.as_ref())
        .filter(|header| header.key == name);
    let first = values.next();
    assert!(values.next().is_none(), "`{name}` twice");
    first.map(|header| header.value.clone())
}

/// The facts that Envoy is told with a response.
pub(super) fn facts(response: &CheckResponse) -> HashMap<String, String> {
    let Value::Object(members) = metadata(response) else {
        return HashMap::new();
    };
    let texts = members.into_iter();
    texts
        .map(|(key, text)| (key, text.as_str().unwrap().to_owned()))
        .collect()
}

fn metadata(response: &CheckResponse) -> Value {
    let fields = response
        .dynamic_metadata
        .iter()
        .flat_map(|facts| &facts.fields);
    let texts = fields.map(|(key, value)| match &value.kind {
        Some(Kind::StringValue(text)) => (key.clone(), Value::from(text.clone())),
        other => panic!("`{key}` is {other:?}"),
    });
    Value::Object(texts.collect::<Map<_, _>>())
}

/// The ids of a message or a batch as they are written.
fn ids(text: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    let messages: Vec<Message<'_>> = match serde_json::from_str(text) {
        Ok(messages) => messages,
        Err(_) => serde_json::from_str(text).into_iter().collect(),
    };
    let ids = messages
        .iter()
        .map(|message| message.id.map_or("null", RawValue::get));
    ids.map(str::to_owned).collect()
}
