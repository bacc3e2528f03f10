//! What cannot change while the process runs.

use super::settings::{Config, LimitSettings};
use crate::audit::QueueLimits;
use crate::check::RequestLimits;
use crate::listen::ConnectionLimits;
use crate::state;
use crate::telemetry;

impl Config {
    /// Sets every key that is fixed to what it is in the process that runs, and returns the names of
    /// those that said something else. They wait for a restart; everything else may be put in force.
    ///
    /// Each row names a key; `src/config/README.md` has the reasons. Every setting that is not here
    /// can be changed.
    pub fn keep_fixed(&mut self, running: &Config) -> Vec<&'static str> {
        let mut fixed = Fixed::default();
        fixed.keep("listen", &mut self.listen, &running.listen);
        fixed.keep("tls", &mut self.tls, &running.tls);
        let address = &mut self.client_address;
        fixed.keep("client_address", address, &running.client_address);
        fixed.keep("admin.listen", &mut self.admin, &running.admin);
        let telemetry::TelemetrySettings {
            otlp_endpoint,
            service_name,
            log,
        } = &mut self.telemetry;
        let now = &running.telemetry;
        fixed.keep("telemetry.otlp_endpoint", otlp_endpoint, &now.otlp_endpoint);
        fixed.keep("telemetry.service_name", service_name, &now.service_name);
        fixed.keep("telemetry.log", log, &now.log);
        fixed.keep_limits(&mut self.limits, &running.limits);
        fixed.changed
    }
}

/// The keys that said something else.
#[derive(Default)]
struct Fixed {
    changed: Vec<&'static str>,
}

impl Fixed {
    fn keep<T: PartialEq + Clone>(&mut self, key: &'static str, next: &mut T, running: &T) {
        if *next != *running {
            next.clone_from(running);
            self.changed.push(key);
        }
    }

    fn keep_limits(&mut self, next: &mut LimitSettings, running: &LimitSettings) {
        let ConnectionLimits {
            connections_max,
            handshake_timeout,
            tls_reload_interval: _,
        } = &mut next.listen;
        let now = &running.listen;
        self.keep(
            "limits.connections_max",
            connections_max,
            &now.connections_max,
        );
        self.keep(
            "limits.handshake_timeout",
            handshake_timeout,
            &now.handshake_timeout,
        );
        self.keep(
            "limits.streams_max",
            &mut next.streams_max,
            &running.streams_max,
        );
        let RequestLimits {
            body_bytes_max,
            headers_max,
            ..
        } = &mut next.check;
        let now = &running.check;
        self.keep("limits.body_bytes_max", body_bytes_max, &now.body_bytes_max);
        self.keep("limits.headers_max", headers_max, &now.headers_max);
        let state::StateSettings {
            keys_max,
            bindings_max,
        } = &mut next.state;
        self.keep("limits.state_keys_max", keys_max, &running.state.keys_max);
        self.keep(
            "limits.bindings_max",
            bindings_max,
            &running.state.bindings_max,
        );
        let QueueLimits {
            records_max,
            bytes_max,
        } = &mut next.audit_queue;
        let now = &running.audit_queue;
        self.keep("limits.audit_queue_max", records_max, &now.records_max);
        self.keep("limits.audit_queue_bytes_max", bytes_max, &now.bytes_max);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Map, Value};

    use super::super::decode;
    use super::*;

    fn config(text: &str) -> Config {
        decode("c".to_owned(), text.to_owned(), Path::new("")).unwrap()
    }

    const LEAST: &str = "
issuers: [{issuer: https://idp.example.com}]
servers: [{name: notes, resource: https://mcp.example.com/mcp}]
policy: policy.yaml
";

    /// Every fixed key with another value than by default.
    const OTHER: &str = "
listen: 127.0.0.1:2
tls: {cert_file: a, key_file: b}
client_address: x-envoy-external-address
admin: {listen: 127.0.0.1:3}
telemetry: {otlp_endpoint: 'http://127.0.0.1:4317', service_name: other, log: debug}
limits:
  connections_max: 1
  handshake_timeout: 1s
  streams_max: 1
  body_bytes_max: 2048
  headers_max: 16
  state_keys_max: 1
  bindings_max: 1
  audit_queue_max: 1
  audit_queue_bytes_max: 64 KiB
  tools_max: 1
  uri_bytes_max: 10
drain: {delay: 1s}
replicas: 2
";

    fn leaves(path: &str, value: &Value, to: &mut Map<String, Value>) {
        let members = value.as_object().filter(|members| !members.is_empty());
        let Some(members) = members.filter(|_| path != "tls") else {
            to.insert(path.to_owned(), value.clone());
            return;
        };
        for (key, value) in members {
            let dot = if path.is_empty() { "" } else { "." };
            leaves(&format!("{path}{dot}{key}"), value, to);
        }
    }

    #[test]
    fn what_is_fixed_stays_and_is_named_and_everything_else_changes() {
        let running = config(&format!("listen: 127.0.0.1:1{LEAST}"));
        let written = config(&format!("{LEAST}{OTHER}"));
        let mut next = written.clone();
        let mut named = next.keep_fixed(&running);
        let flat = |config: &Config| {
            let mut all = Map::new();
            leaves("", &config.effective(), &mut all);
            all.remove("admin");
            all
        };
        let (running_keys, written_keys, next_keys) = (flat(&running), flat(&written), flat(&next));
        let keys = running_keys.keys().chain(written_keys.keys());
        let differs = |key: &&String| running_keys.get(*key) != written_keys.get(*key);
        let mut kept: Vec<&str> = keys
            .filter(differs)
            .filter(|key| next_keys.get(*key) == running_keys.get(*key))
            .map(String::as_str)
            .collect();
        kept.sort_unstable();
        kept.dedup();
        named.sort_unstable();
        assert_eq!(named, kept);
        assert_eq!(named.len(), 16, "{named:?}");
        for (key, value) in &next_keys {
            let expected = if named.contains(&key.as_str()) {
                running_keys.get(key)
            } else {
                written_keys.get(key)
            };
            assert_eq!(Some(value), expected, "{key}");
        }
        assert_eq!(next.keep_fixed(&running), [""; 0], "undone");
    }

    #[test]
    fn every_fixed_key_is_documented_with_its_reason() {
        let running = config(&format!("listen: 127.0.0.1:1{LEAST}"));
        let named = config(&format!("{LEAST}{OTHER}")).keep_fixed(&running);
        let document = include_str!("README.md");
        let section = document
            .split("## Changing it while running")
            .nth(1)
            .unwrap();
        for key in named {
            assert!(section.contains(&format!("`{key}`")), "{key}");
        }
    }
}
