//! The configuration in force, defaults filled in, as the start logs it.
//!
//! Every field is named, so that a new one cannot be forgotten. Secrets are in files, of which
//! only the paths are here.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::settings::{Config, Drain, LimitSettings};
use super::words::{ACCEPT, ON, Words, word_of};
use crate::audit;
use crate::authn::{self, ClaimSettings, IssuerSettings, KeySettings, KeySourceSettings};
use crate::catalog::Trust;
use crate::check::{self, DenySettings, HandoffSettings, PurposeSettings, ServerSettings};
use crate::fetch::{self, ProxySettings};
use crate::listen::{self, TlsFiles};
use crate::state;
use crate::telemetry;
use crate::yaml;

impl Config {
    /// The configuration with every default, in the form of the file. It has no secrets.
    #[must_use]
    pub fn effective(&self) -> Value {
        let Config {
            listen,
            client_address,
            tls,
            admin,
            authn,
            issuers_strict,
            peers_ca_file,
            servers,
            tools_snapshots,
            policy,
            candidate_policy,
            purpose,
            device_header,
            facts,
            country_db_file,
            replicas,
            handoff: HandoffSettings { key_file, max_age },
            fetch,
            telemetry,
            limits: _,
            drain: Drain { delay, timeout },
        } = self;
        let telemetry::Settings {
            otlp_endpoint,
            service_name,
            log,
        } = telemetry;
        json!({
            "listen": listen.to_string(),
            "client_address": client_address.word(),
            "tls": tls.as_ref().map(tls_files),
            "admin": admin.as_ref().map(|listen| json!({"listen": listen.to_string()})),
            "issuers": authn.issuers.iter().map(issuer).collect::<Vec<_>>(),
            "issuers_strict": issuers_strict,
            "servers": servers
                .iter()
                .map(|one| server(one, tools_snapshots.get(&one.name)))
                .collect::<Vec<_>>(),
            "policy": policy,
            "candidate_policy": candidate_policy,
            "purpose": purpose_value(purpose),
            "device": device_header.as_ref().map(|header| json!({"header": header})),
            "peers": peers_ca_file.as_ref().map(|file| json!({"ca_file": file})),
            "dynamic_metadata": facts.iter().map(|fact| fact.name()).collect::<Vec<_>>(),
            "geoip": country_db_file.as_ref().map(|file| json!({"country_db_file": file})),
            "replicas": replicas,
            "handoff": {"key_file": key_file, "max_age": yaml::duration_text(*max_age)},
            "fetch": fetch_value(fetch),
            "telemetry": {
                "otlp_endpoint": otlp_endpoint,
                "service_name": service_name,
                "log": log,
            },
            "limits": self.limits(),
            "drain": {"delay": yaml::duration_text(*delay), "timeout": yaml::duration_text(*timeout)},
        })
    }

    #[expect(clippy::too_many_lines, reason = "one row for each limit")]
    fn limits(&self) -> Value {
        let LimitSettings {
            listen:
                listen::ConnectionLimits {
                    connections_max,
                    handshake_timeout,
                    tls_reload_interval: _,
                },
            check:
                check::RequestLimits {
                    body_bytes_max,
                    json_depth_max,
                    json_values_max,
                    name_bytes_max,
                    uri_bytes_max,
                    subscriptions_max,
                    list_item_bytes_max,
                    headers_max,
                    header_bytes_max,
                },
            rules_max,
            cel_bytes_max,
            state:
                state::Settings {
                    keys_max,
                    bindings_max,
                },
            audit_queue:
                audit::QueueLimits {
                    records_max,
                    bytes_max,
                },
            streams_max,
            tools_max,
        } = self.limits;
        let authn::Settings {
            issuers: _,
            token_bytes_max,
            token_cache_max,
            json_depth_max: _,
            jwks_bytes_max,
            jwks_keys_max,
            fetch_timeout,
            fetch_wait,
        } = &self.authn;
        json!({
            "connections_max": connections_max,
            "handshake_timeout": yaml::duration_text(handshake_timeout),
            "body_bytes_max": body_bytes_max,
            "json_depth_max": json_depth_max,
            "json_values_max": json_values_max,
            "name_bytes_max": name_bytes_max,
            "uri_bytes_max": uri_bytes_max,
            "subscriptions_max": subscriptions_max,
            "list_item_bytes_max": list_item_bytes_max,
            "headers_max": headers_max,
            "header_bytes_max": header_bytes_max,
            "rules_max": rules_max,
            "cel_bytes_max": cel_bytes_max,
            "state_keys_max": keys_max,
            "bindings_max": bindings_max,
            "tools_max": tools_max,
            "audit_queue_max": records_max,
            "audit_queue_bytes_max": bytes_max,
            "streams_max": streams_max,
            "token_bytes_max": token_bytes_max,
            "token_cache_max": token_cache_max,
            "jwks_bytes_max": jwks_bytes_max,
            "jwks_keys_max": jwks_keys_max,
            "fetch_timeout": yaml::duration_text(*fetch_timeout),
            "fetch_wait": yaml::duration_text(*fetch_wait),
        })
    }
}

fn purpose_value(settings: &PurposeSettings) -> Option<Value> {
    let PurposeSettings { header, meta } = settings;
    let is_said = header.is_some() || meta.is_some();
    is_said.then(|| json!({"header": header, "meta": meta}))
}

fn fetch_value(settings: &fetch::Settings) -> Value {
    let fetch::Settings { proxy, ca_file } = settings;
    let no_proxy = proxy.as_ref().map(|ProxySettings { url: _, exceptions }| {
        let texts: Vec<String> = exceptions.iter().map(ToString::to_string).collect();
        texts
    });
    json!({
        "proxy": proxy.as_ref().map(ProxySettings::text),
        "no_proxy": no_proxy.filter(|texts| !texts.is_empty()),
        "ca_file": ca_file,
    })
}

fn tls_files(files: &TlsFiles) -> Value {
    let TlsFiles {
        cert_file,
        key_file,
        client_ca_file,
    } = files;
    json!({"cert_file": cert_file, "key_file": key_file, "client_ca_file": client_ca_file})
}

fn issuer(settings: &IssuerSettings) -> Value {
    let IssuerSettings {
        issuer,
        source,
        algorithms,
        ca_file,
        claims:
            ClaimSettings {
                groups,
                roles,
                tenant,
                agent,
                scopes,
                device,
            },
        leeway,
        keys:
            KeySettings {
                refresh,
                stale_max,
                min_interval,
            },
    } = settings;
    let algorithms: Vec<&str> = algorithms.iter().map(|one| one.name()).collect();
    let mut members = Map::new();
    let mut put = |key: &str, value: Value| members.insert(key.to_owned(), value);
    put("issuer", json!(issuer));
    match source {
        KeySourceSettings::Discovery => {}
        KeySourceSettings::Uri(uri) => drop(put("jwks_uri", json!(uri))),
        KeySourceSettings::File(file) => drop(put("jwks_file", json!(file))),
    }
    put("algorithms", json!(algorithms));
    put("ca_file", json!(ca_file.as_ref().map(PathBuf::as_path)));
    put(
        "claims",
        json!({
            "groups": groups, "roles": roles, "tenant": tenant, "agent": agent, "scopes": scopes,
            "device": (!device.is_empty()).then_some(device),
        }),
    );
    put("leeway", json!(yaml::duration_text(*leeway)));
    put(
        "keys",
        json!({
            "refresh": yaml::duration_text(*refresh),
            "stale_max": yaml::duration_text(*stale_max),
            "min_interval": yaml::duration_text(*min_interval),
        }),
    );
    Value::Object(members)
}

fn server(settings: &ServerSettings, tools_snapshot: Option<&PathBuf>) -> Value {
    let ServerSettings {
        name,
        hosts,
        path,
        resource,
        audiences,
        issuers,
        scopes_supported,
        deny: DenySettings { shape, disclose },
        batch_max,
        string_body,
        fold_arguments,
        uris,
        authorization,
        session_binding,
        responses_on_get,
        resume,
        trust: Trust { on_change, hints },
        check_arguments,
    } = settings;
    let place = (!hosts.is_empty()).then(|| json!({"hosts": hosts, "path": path}));
    let scopes_supported = (!scopes_supported.is_empty()).then_some(scopes_supported);
    json!({
        "name": name,
        "match": place,
        "resource": resource,
        "audiences": audiences,
        "issuers": issuers,
        "tools_snapshot": tools_snapshot,
        "on_tool_change": on_change.word(),
        "trust_tool_hints": hints,
        "check_arguments": check_arguments,
        "scopes_supported": scopes_supported,
        "deny": {"shape": shape.word(), "disclose": disclose.word()},
        "batch_max": batch_max,
        "string_body": word_of(ACCEPT, *string_body),
        "fold_arguments": word_of(ACCEPT, *fold_arguments),
        "uris": uris.word(),
        "upstream": {"authorization": authorization.word()},
        "session_binding": session_binding.word(),
        "responses_on_get": responses_on_get,
        "resume": word_of(ON, *resume),
    })
}
