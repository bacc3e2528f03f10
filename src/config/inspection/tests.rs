use super::*;

/// The findings of a text, one per line.
fn lines(name: &str, text: String) -> Vec<String> {
    match decode(name.to_owned(), text, Path::new("")) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.to_lines(),
    }
}

/// `UPDATE_EXPECTED=1` rewrites the expectations.
#[test]
fn invalid_files_are_refused_with_their_exact_findings() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs-invalid");
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let actual = lines(name, std::fs::read_to_string(&path).unwrap()).join("\n") + "\n";
        let expected = path.with_extension("txt");
        if update {
            std::fs::write(&expected, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(actual, expected, "{name}");
        assert!(actual.len() > 1, "{name} is not invalid");
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} files");
}

fn config(text: &str) -> Config {
    match decode(
        "config.yaml".to_owned(),
        text.to_owned(),
        Path::new("/etc/x"),
    ) {
        Ok(config) => config,
        Err(findings) => panic!("{:#?}", findings.to_lines()),
    }
}

const LEAST: &str = "
listen: 127.0.0.1:9001
issuers: [{issuer: https://idp.example.com}]
servers: [{name: notes, resource: https://mcp.example.com/mcp}]
policy: policy.yaml
";

/// Every key with a value that is not its default.
const MOST: &str = "
listen: unix:/run/mcp-authz.sock
client_address: x-envoy-external-address
tls: {cert_file: cert.pem, key_file: /keys/key.pem, client_ca_file: ca.pem}
admin: {listen: '[::1]:9002'}
issuers:
- issuer: https://idp.example.com
  jwks_uri: https://idp.example.com/keys
  algorithms: [ES256]
  ca_file: idp.pem
  claims: {groups: g, roles: [r], tenant: t, agent: [a, b], scopes: s, device: d}
  leeway: 5s
  keys: {refresh: 1m, stale_max: 1h, min_interval: 1500ms}
- issuer: local
  jwks_file: keys.json
issuers_strict: true
servers:
- name: notes
  match: {hosts: [MCP.example.com], path: /mcp/}
  resource: https://mcp.example.com/mcp
  audiences: [other]
  issuers: [local]
  scopes_supported: [notes]
  deny: {shape: http_403, disclose: nothing}
  batch_max: 3
  string_body: accept
  fold_arguments: accept
  uris: strict
  upstream: {authorization: pass}
  session_binding: strict
  answers_on_get: true
  resume: on
  tools_snapshot: tools.json
  on_tool_change: deny
  trust_tool_hints: true
  check_arguments: true
policy: policies
candidate_policy: next
device: {header: x-device}
peers: {ca_file: peers.pem}
dynamic_metadata: [reason, class]
geoip: {country_db_file: countries.mmdb}
purpose: {header: X-Purpose, meta: example.com/purpose}
handoff: {key_file: handoff.keys, max_age: 2h}
telemetry: {otlp_endpoint: http://127.0.0.1:4317, service_name: pdp, log: debug}
limits:
  connections_max: 11
  handshake_timeout: 1s
  body_bytes_max: 12 KiB
  json_depth_max: 13
  json_values_max: 127
  name_bytes_max: 14
  uri_bytes_max: 15
  subscriptions_max: 16
  list_item_bytes_max: 25 KiB
  headers_max: 17
  header_bytes_max: 9 KiB
  rules_max: 18
  cel_bytes_max: 19
  audit_queue_max: 20
  audit_queue_bytes_max: 27 MiB
  state_keys_max: 23
  bindings_max: 24
  tools_max: 26
  streams_max: 21
  token_bytes_max: 1 KiB
  token_cache_max: 0
  jwks_bytes_max: 2 MiB
  jwks_keys_max: 22
  fetch_timeout: 500ms
  fetch_wait: 250ms
drain: {delay: 0s, timeout: 2m}
replicas: 27
";

#[test]
fn paths_are_relative_to_the_file() {
    let config = config(MOST);
    assert_eq!(config.policy, Path::new("/etc/x/policies"));
    let tls = config.tls.unwrap();
    assert_eq!(tls.cert_file, Path::new("/etc/x/cert.pem"));
    assert_eq!(tls.key_file, Path::new("/keys/key.pem"));
    let key_file = config.handoff.key_file.unwrap();
    assert_eq!(key_file, Path::new("/etc/x/handoff.keys"));
}

#[test]
fn a_server_trusts_every_issuer_unless_it_names_some() {
    let text = LEAST.replace(
        "[{issuer: https://idp.example.com}]",
        "[{issuer: https://a.test}, {issuer: https://b.test}]",
    );
    assert_eq!(
        config(&text).servers[0].issuers,
        ["https://a.test", "https://b.test"]
    );
    assert_eq!(config(MOST).servers[0].issuers, ["local"]);
}

#[test]
fn the_effective_configuration_is_a_configuration_that_says_the_same() {
    for text in [LEAST, MOST] {
        let effective = config(text).effective();
        assert_eq!(config(&effective.to_string()).effective(), effective);
    }
}

#[test]
fn every_key_changes_the_effective_configuration() {
    fn leaves(at: &str, value: &serde_json::Value, to: &mut Vec<(String, String)>) {
        if let serde_json::Value::Object(members) = value {
            for (name, member) in members {
                leaves(&format!("{at}.{name}"), member, to);
            }
        } else {
            to.push((at.to_owned(), value.to_string()));
        }
    }
    let of = |text| {
        let mut found = Vec::new();
        leaves("", &config(text).effective(), &mut found);
        found
    };
    let (least, most) = (of(LEAST), of(MOST));
    let same: Vec<_> = most.iter().filter(|leaf| least.contains(leaf)).collect();
    assert_eq!(same, Vec::<&(String, String)>::new());
}

#[test]
fn a_file_without_end_is_not_read_to_the_end() {
    let error = load(Path::new("/dev/zero")).unwrap_err();
    let ConfigError::Read { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.to_string(), "it is a device, not a regular file");
    let file = tempfile::NamedTempFile::new().unwrap();
    let length = FILE_BYTES_MAX + 1;
    file.as_file().set_len(length).unwrap();
    let error = load(file.path()).unwrap_err();
    let ConfigError::Read { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.to_string(), "it has more than 4194304 bytes");
}
