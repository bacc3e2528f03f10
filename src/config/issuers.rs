//! `issuers`: who vouches for callers, and how their tokens are read.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::claims;
use super::reader::ConfigReader;
use super::scope_names;
use super::silence::{BESIDE_ISSUERS, ISSUER_LINTS};
use super::words::Words;
use crate::authn::{
    self, InvalidTokenType, IssuerSettings, KeySettings, KeySourceSettings, Provider,
    SignatureAlgorithm, TENANT_VARIABLE, TokenTypes,
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
    /// Reads the issuers into the settings, and returns every name of each: as it is configured, and
    /// as its tokens have it. `None` if they are no list.
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
                let new = issuer.names().into_iter();
                let new: Vec<String> = new.filter(|name| !names.contains(name)).collect();
                names.extend(new);
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
        let mut settings = IssuerSettings::new(read.name.clone().unwrap_or_default());
        token_form(&mut fields, &mut settings, findings);
        let source = self.key_source(&mut fields, findings);
        let algorithms = fields.optional("algorithms", findings, algorithms);
        let token_types = fields.optional("token_types", findings, token_types);
        let ca_file = fields.optional("ca_file", findings, yaml::string);
        let token_file = fields.optional("token_file", findings, yaml::string);
        let sample = fields.optional("sample_claims_file", findings, yaml::string);
        let insecure_http = fields.optional("insecure_http", findings, yaml::boolean);
        let scope_names = fields.optional("scopes", findings, scope_names::scope_names);
        let leeway = yaml::duration(Duration::ZERO..=Duration::from_mins(5));
        let leeway = fields.optional("leeway", findings, leeway);
        let keys = fields.optional("keys", findings, keys);
        fields.optional(
            "silence",
            findings,
            yaml::silence(ISSUER_LINTS, BESIDE_ISSUERS),
        );
        fields.finish(findings);
        let (Some(_), Some(source)) = (&read.name, source) else {
            return read;
        };
        settings.source = source;
        settings.ca_file = ca_file.map(|path| self.path(&path));
        settings.token_file = token_file.map(|path| self.path(&path));
        settings.sample_claims_file = sample.map(|path| self.path(&path));
        settings.insecure_http = insecure_http.unwrap_or(settings.insecure_http);
        settings.algorithms = algorithms.unwrap_or(settings.algorithms);
        settings.token_types = token_types.unwrap_or(settings.token_types);
        settings.scope_names = scope_names;
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

/// Reads what the tokens are like: `provider`, and the keys that take the place of what it says.
fn token_form(fields: &mut Fields<'_>, settings: &mut IssuerSettings, findings: &mut Findings) {
    let provider = fields.optional("provider", findings, yaml::choice(Provider::WORDS));
    settings.provider = provider;
    if let Some(provider) = provider {
        settings.claims = provider.claims();
        settings.required_claims = provider.required_claims(&settings.issuer);
    }
    if settings.issuer.contains(TENANT_VARIABLE) {
        settings.claims.tenant = vec!["tid".to_owned()];
    }
    let tenants = fields.optional("tenants", findings, |node, findings| {
        yaml::list(node, findings, yaml::string)
    });
    settings.tenants = tenants.unwrap_or_default();
    settings.trust_domain = fields.optional("trust_domain", findings, yaml::string);
    let clients = fields.optional("clients", findings, claims::clients);
    settings.clients = clients.unwrap_or_default();
    fields.optional("claims", findings, |node, findings| {
        claims::claims(node, &mut settings.claims, findings)
    });
    fields.optional("required_claims", findings, |node, findings| {
        claims::required_claims(node, &mut settings.required_claims, findings)
    });
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
        provider,
        tenants,
        trust_domain,
        clients,
        source,
        algorithms,
        token_types,
        ca_file,
        token_file,
        sample_claims_file,
        insecure_http,
        claims,
        scope_names,
        required_claims,
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
    let some = |list: &[String]| json!((!list.is_empty()).then_some(list));
    put("issuer", json!(issuer));
    put("provider", json!(provider.map(Words::word)));
    put("tenants", some(tenants));
    put("trust_domain", json!(trust_domain));
    put("clients", some(clients));
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
    let sample = sample_claims_file.as_ref().map(PathBuf::as_path);
    put("sample_claims_file", json!(sample));
    put("insecure_http", json!(insecure_http));
    put("claims", claims::claims_shown(claims));
    let usual = provider.map(|provider| provider.required_claims(issuer));
    put(
        "required_claims",
        claims::required_shown(required_claims, &usual.unwrap_or_default()),
    );
    put("scopes", scope_names::shown(scope_names.as_ref()));
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
