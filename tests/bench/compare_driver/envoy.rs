//! Envoy's configuration for each variant: `envoy/envoy.yaml` as it is shipped, with other ports,
//! and with other filters in the place of `ext_authz` where the variant has none.

use anyhow::{Context, Result, bail};
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::policy;
use crate::tokens::{ISSUER, RESOURCE};
use crate::variant::Variant;

/// The shipped configuration, seen from the top of the project.
const SHIPPED: &str = "envoy/envoy.yaml";

const EXT_AUTHZ: &str = "envoy.filters.http.ext_authz";
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const ROUTES: &str = "/route_config/virtual_hosts/0/routes";

/// Tokens that `jwt_authn` remembers, where it does: more than a run has.
const JWT_CACHE: u32 = 200_000;

/// What the configurations of a run have in common.
#[derive(Debug)]
pub(crate) struct Base {
    shipped: Value,
    jwks: String,
    upstream: u16,
}

impl Base {
    /// Reads the shipped configuration.
    pub(crate) fn read(jwks: String, upstream: u16, access_log: bool) -> Result<Self> {
        let text =
            std::fs::read_to_string(SHIPPED).with_context(|| format!("cannot read `{SHIPPED}`"))?;
        let documents = Yaml::load_from_str(&text)?;
        let mut shipped = convert(documents.first().context("no document")?)?;
        // Readiness is asked for with a request, as everything else.
        members(&mut shipped)?.remove("admin");
        if !access_log {
            members(at(&mut shipped, MANAGER)?)?.remove("access_log");
        }
        Ok(Self {
            shipped,
            jwks,
            upstream,
        })
    }

    /// The configuration of one variant's Envoy, which is JSON.
    pub(crate) fn render(
        &self,
        variant: Variant,
        port: u16,
        authorizer: Option<&str>,
    ) -> Result<String> {
        let mut config = self.shipped.clone();
        let listener = at(&mut config, "/static_resources/listeners/0/address")?;
        *listener = local(port);
        self.set_clusters(&mut config, authorizer)?;
        let manager = at(&mut config, MANAGER)?;
        match variant {
            Variant::McpAuthz | Variant::McpAuthzUnix | Variant::Candidate => {}
            Variant::NoopStock | Variant::NoopLean | Variant::NoopWhole => {
                mark_denied_call(manager)?;
            }
            Variant::EnvoyAlone => replace_ext_authz(manager, Vec::new())?,
            Variant::EnvoyFilters => replace_ext_authz(manager, self.filters(None))?,
            Variant::EnvoyFiltersCached => {
                replace_ext_authz(manager, self.filters(Some(JWT_CACHE)))?;
            }
        }
        Ok(config.to_string())
    }

    fn set_clusters(&self, config: &mut Value, authorizer: Option<&str>) -> Result<()> {
        let clusters = elements(at(config, "/static_resources/clusters")?)?;
        let is_authorizer = |cluster: &Value| name_of(cluster) == Some("mcp_authz");
        clusters.retain(|cluster| authorizer.is_some() || !is_authorizer(cluster));
        for cluster in clusters {
            let address = match authorizer {
                Some(address) if is_authorizer(cluster) => match address.strip_prefix("unix:") {
                    Some(path) => {
                        // Nobody has to look for the address of a socket that is a file.
                        *at(cluster, "/type")? = json!("STATIC");
                        json!({"pipe": {"path": path}})
                    }
                    None => local(address.rsplit(':').next().unwrap_or_default().parse()?),
                },
                _ => local(self.upstream),
            };
            let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
            *at(cluster, endpoint)? = address;
            // A no-op knows no health, and nobody asks for it on the way of a request.
            members(cluster)?.remove("health_checks");
        }
        Ok(())
    }

    /// Envoy's own filters, doing what they can of the same policy.
    fn filters(&self, cache: Option<u32>) -> Vec<Value> {
        let mut provider = json!({
            "issuer": ISSUER, "audiences": [RESOURCE], "require_expiration": true,
            "local_jwks": {"inline_string": self.jwks}, "payload_in_metadata": "claims",
        });
        if let (Some(size), Some(members)) = (cache, provider.as_object_mut()) {
            members.insert(
                "jwt_cache_config".to_owned(),
                json!({"jwt_cache_size": size}),
            );
        }
        let paths = policy::EXTRACTED.map(|path| json!({"path": path}));
        let methods = json!([{"method": "tools/call", "extraction_rules": paths}]);
        let rbac = |action: &str, policies: Value| {
            filter(
                "rbac.v3.RBAC",
                "envoy.filters.http.rbac",
                json!({"rules": {"action": action, "policies": policies}}),
            )
        };
        vec![
            filter(
                "jwt_authn.v3.JwtAuthentication",
                "envoy.filters.http.jwt_authn",
                json!({
                    "providers": {"idp": provider},
                    "rules": [{"match": {"prefix": "/mcp"}, "requires": {"provider_name": "idp"}}],
                }),
            ),
            filter(
                "mcp.v3.Mcp",
                "envoy.filters.http.mcp",
                json!({
                    "traffic_mode": "REJECT_NO_MCP", "max_request_body_size": 1_048_576,
                    "reject_duplicate_keys": true, "attribute_source": "VERIFY",
                    "parser_config": {"methods": methods},
                }),
            ),
            rbac("DENY", policy::rbac_denials()),
            rbac("ALLOW", policy::rbac_allows()),
        ]
    }
}

fn filter(kind: &str, name: &str, settings: Value) -> Value {
    let mut config = Map::new();
    let url = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
    config.insert("@type".to_owned(), Value::String(url));
    if let Value::Object(settings) = settings {
        config.extend(settings);
    }
    json!({"name": name, "typed_config": config})
}

/// Gives the denied call a route of its own whose context extension tells a no-op to deny.
fn mark_denied_call(manager: &mut Value) -> Result<()> {
    let routes = elements(at(manager, ROUTES)?)?;
    let served = routes
        .iter()
        .position(|route| route.pointer("/route/cluster").is_some())
        .with_context(|| format!("`{SHIPPED}` routes nothing"))?;
    let mut denied = routes.get(served).cloned().unwrap_or_default();
    let headers = json!([{"name": "mcp-name", "string_match": {"exact": policy::DENIED_TOOL}}]);
    members(at(&mut denied, "/match")?)?.insert("headers".to_owned(), headers);
    let settings = at(&mut denied, "/typed_per_filter_config")?;
    let settings = settings.get_mut(EXT_AUTHZ).context("no extensions")?;
    *at(settings, "/check_settings/context_extensions")? = json!({"deny": "1"});
    routes.insert(served, denied);
    Ok(())
}

/// Puts `filters` where `ext_authz` was.
fn replace_ext_authz(manager: &mut Value, filters: Vec<Value>) -> Result<()> {
    for route in elements(at(manager, ROUTES)?)? {
        members(route)?.remove("typed_per_filter_config");
    }
    let all = elements(at(manager, "/http_filters")?)?;
    let place = all
        .iter()
        .position(|one| name_of(one) == Some(EXT_AUTHZ))
        .with_context(|| format!("`{SHIPPED}` has no {EXT_AUTHZ}"))?;
    all.splice(place..=place, filters);
    Ok(())
}

fn name_of(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

fn local(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn at<'v>(value: &'v mut Value, pointer: &str) -> Result<&'v mut Value> {
    value
        .pointer_mut(pointer)
        .with_context(|| format!("`{SHIPPED}` has no `{pointer}`"))
}

fn members(value: &mut Value) -> Result<&mut Map<String, Value>> {
    value.as_object_mut().context("not an object")
}

fn elements(value: &mut Value) -> Result<&mut Vec<Value>> {
    value.as_array_mut().context("not a list")
}

/// YAML as JSON, which Envoy reads as well.
fn convert(yaml: &Yaml<'_>) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => json!(value),
            Scalar::Integer(value) => json!(value),
            Scalar::FloatingPoint(value) => json!(value.into_inner()),
            Scalar::String(value) => json!(value),
        },
        Yaml::Sequence(list) => Value::Array(list.iter().map(convert).collect::<Result<_>>()?),
        Yaml::Mapping(map) => {
            let member = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = key.as_str().context("a key that is no text")?;
                Ok((key.to_owned(), convert(value)?))
            };
            Value::Object(map.iter().map(member).collect::<Result<_>>()?)
        }
        Yaml::Representation(..) | Yaml::Tagged(..) | Yaml::Alias(_) | Yaml::BadValue => {
            bail!("`{SHIPPED}` has YAML that JSON has not")
        }
    })
}
