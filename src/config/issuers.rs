//! `issuers`: who vouches for callers, and how their tokens are read.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::reader::ConfigReader;
use super::silence::ISSUER_LINTS;
use crate::authn::{
    self, ClaimSettings, InvalidTokenType, IssuerSettings, KeySettings, KeySourceSettings,
    SignatureAlgorithm, TokenTypes,
};
use crate::yaml::{self, Fields, Findings, Node};

const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(720);

/// An issuer as far as it could be read.
struct ReadIssuer<'n> {
    /// Where it stands, for what is found wrong later.
    place: &'n Node,
    /// What it is called, even if the rest is wrong.
    name: Option<String>,
    settings: Option<IssuerSettings>,
}

impl ConfigReader<'_> {
    /// Reads the issuers into the settings, and returns the name of each; `None` if they are no
    /// list.
    pub(super) fn issuers(
        self,
        node: &Node,
        settings: &mut authn::AuthnSettings,
        findings: &mut Findings,
    ) -> Option<Vec<String>> {
        let mut places = Vec::new();
        let mut names = Vec::new();
        yaml::list(node, findings, |node, findings| {
            let read = self.issuer(node, findings);
            names.extend(read.name);
            if let Some(issuer) = read.settings {
                settings.issuers.push(issuer);
                places.push(read.place);
            }
            Some(())
        })?;
        for (index, fault) in settings.faults() {
            let place = places.get(index).copied().unwrap_or(node);
            findings.error(place, fault.to_string(), "");
        }
        Some(names)
    }

    fn issuer<'n>(self, node: &'n Node, findings: &mut Findings) -> ReadIssuer<'n> {
        let mut read = ReadIssuer {
            place: node,
            name: None,
            settings: None,
        };
        let Some(mut fields) = Fields::open(node, "an issuer", findings) else {
            return read;
        };
        read.name = fields.required("issuer", findings, |node, findings| {
            read.place = node;
            yaml::string(node, findings)
        });
        let source = self.key_source(&mut fields, findings);
        let algorithms = fields.optional("algorithms", findings, algorithms);
        let token_types = fields.optional("token_types", findings, token_types);
        let ca_file = fields.optional("ca_file", findings, yaml::string);
        let token_file = fields.optional("token_file", findings, yaml::string);
        let insecure_http = fields.optional("insecure_http", findings, yaml::boolean);
        let claims = fields.optional("claims", findings, claims);
        let leeway = yaml::duration(Duration::ZERO..=Duration::from_mins(5));
        let leeway = fields.optional("leeway", findings, leeway);
        let keys = fields.optional("keys", findings, keys);
        fields.optional("silence", findings, yaml::silence(ISSUER_LINTS));
        fields.finish(findings);
        let (Some(name), Some(source)) = (&read.name, source) else {
            return read;
        };
        let mut settings = IssuerSettings::new(name.clone());
        settings.source = source;
        settings.ca_file = ca_file.map(|path| self.path(&path));
        settings.token_file = token_file.map(|path| self.path(&path));
        settings.insecure_http = insecure_http.unwrap_or(settings.insecure_http);
        settings.algorithms = algorithms.unwrap_or(settings.algorithms);
        settings.token_types = token_types.unwrap_or(settings.token_types);
        settings.claims = claims.unwrap_or(settings.claims);
        settings.leeway = leeway.unwrap_or(settings.leeway);
        settings.keys = keys.unwrap_or(settings.keys);
        read.settings = Some(settings);
        read
    }

    fn key_source(
        self,
        fields: &mut Fields<'_>,
        findings: &mut Findings,
    ) -> Option<KeySourceSettings> {
        let uri = fields.node_of("jwks_uri");
        let file = fields.node_of("jwks_file");
        match (uri, file) {
            (Some(_), Some(node)) => {
                let help = "keys come from one place: keep one of the two";
                findings.error(node, "`jwks_uri` and `jwks_file` are both given", help);
                None
            }
            (Some(uri), None) => yaml::string(uri, findings).map(KeySourceSettings::Uri),
            (None, Some(file)) => {
                let file = yaml::string(file, findings)?;
                Some(KeySourceSettings::File(self.path(&file)))
            }
            (None, None) => Some(KeySourceSettings::Discovery),
        }
    }
}

fn algorithms(node: &Node, findings: &mut Findings) -> Option<Vec<SignatureAlgorithm>> {
    yaml::list(node, findings, |node, findings| {
        let name = yaml::string(node, findings)?;
        let known = SignatureAlgorithm::from_name(&name);
        if known.is_none() {
            let names: Vec<&str> = SignatureAlgorithm::names().collect();
            let names = yaml::quoted(&names);
            let message = if name.starts_with("HS") || name == "none" {
                format!("`{name}` proves nothing about who signed")
            } else {
                format!("unknown algorithm `{name}`")
            };
            findings.error(node, message, format!("one of {names}"));
        }
        known
    })
}

fn token_types(node: &Node, findings: &mut Findings) -> Option<TokenTypes> {
    let types = yaml::list(node, findings, |node, findings| {
        let kind = yaml::string(node, findings)?;
        let help = match TokenTypes::check(&kind) {
            Ok(()) => return Some(kind),
            Err(InvalidTokenType::Shape) => {
                "a `typ` such as `at+jwt`, or `none` for tokens without one"
            }
            Err(InvalidTokenType::Other) => {
                "such a token is made for something else, and must not open a server"
            }
        };
        let message = format!("`{kind}` is no type of access tokens");
        findings.error(node, message, help);
        None
    });
    types.map(TokenTypes::new)
}

/// Each list of names of claims, by its key.
fn claim_lists(settings: &mut ClaimSettings) -> [(&'static str, &mut Vec<String>); 6] {
    let ClaimSettings {
        groups,
        roles,
        tenant,
        agent,
        scopes,
        device,
    } = settings;
    [
        ("groups", groups),
        ("roles", roles),
        ("tenant", tenant),
        ("agent", agent),
        ("scopes", scopes),
        ("device", device),
    ]
}

fn claims(node: &Node, findings: &mut Findings) -> Option<ClaimSettings> {
    let mut fields = Fields::open(node, "`claims`", findings)?;
    let mut settings = ClaimSettings::default();
    for (key, field) in claim_lists(&mut settings) {
        let names = fields.optional(key, findings, |node, findings| {
            yaml::list_or_one(node, findings, yaml::string)
        });
        if let Some(names) = names {
            *field = names;
        }
    }
    fields.finish(findings);
    Some(settings)
}

fn claims_shown(settings: &ClaimSettings) -> Value {
    let mut settings = settings.clone();
    let lists = claim_lists(&mut settings).into_iter();
    let shown =
        lists.map(|(key, names)| (key.to_owned(), json!((!names.is_empty()).then_some(names))));
    Value::Object(shown.collect())
}

fn keys(node: &Node, findings: &mut Findings) -> Option<KeySettings> {
    let mut fields = Fields::open(node, "`keys`", findings)?;
    let mut settings = KeySettings::default();
    for (key, field) in [
        ("refresh", &mut settings.refresh),
        ("stale_max", &mut settings.stale_max),
        ("min_interval", &mut settings.min_interval),
    ] {
        if let Some(value) = fields.optional(key, findings, yaml::duration(INTERVAL)) {
            *field = value;
        }
    }
    fields.finish(findings);
    Some(settings)
}

/// An issuer in force, as the effective configuration shows it.
pub(super) fn shown(settings: &IssuerSettings) -> Value {
    let IssuerSettings {
        issuer,
        source,
        algorithms,
        token_types,
        ca_file,
        token_file,
        insecure_http,
        claims,
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
    put("token_types", json!(token_types.as_slice()));
    put("ca_file", json!(ca_file.as_ref().map(PathBuf::as_path)));
    put(
        "token_file",
        json!(token_file.as_ref().map(PathBuf::as_path)),
    );
    put("insecure_http", json!(insecure_http));
    put("claims", claims_shown(claims));
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
