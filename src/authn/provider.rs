//! What the tokens of well-known identity providers look like: the claims that their documentation
//! names, where these are other than the defaults.
//!
//! A row is a beginning: each key of the configuration that says the same takes its place. What a
//! provider leaves to its operators, such as the name of a claim with groups, is not here.

use super::claim_settings::{ClaimSettings, ListedClaims, RequiredClaim, RequiredValue, paths};

/// A known identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// AD FS.
    Adfs,
    /// Auth0.
    Auth0,
    /// authentik.
    Authentik,
    /// Clerk.
    Clerk,
    /// Cloudflare Access.
    CloudflareAccess,
    /// Amazon Cognito user pools.
    Cognito,
    /// Microsoft Entra ID, v1 and v2.
    Entra,
    /// Tokens of GitHub Actions.
    GithubActions,
    /// ID tokens of GitLab CI.
    Gitlab,
    /// Google accounts: ID tokens.
    Google,
    /// Google Identity-Aware Proxy.
    GoogleIap,
    /// Keycloak.
    Keycloak,
    /// Service accounts of Kubernetes.
    Kubernetes,
    /// Okta.
    Okta,
    /// `PingOne`, and `PingFederate` with the same claims.
    Ping,
    /// SAP BTP: XSUAA and Cloud Identity Services.
    Sap,
    /// JWT-SVIDs of SPIFFE.
    Spiffe,
    /// Zitadel.
    Zitadel,
}

/// Claims of one member of [`ClaimSettings`].
#[derive(Clone, Copy)]
enum Claims {
    /// Those of every issuer.
    Usual,
    /// The first of these that is there.
    First(&'static [&'static str]),
    /// All of these.
    Any(&'static [&'static str]),
}

/// What is otherwise in the tokens of a provider.
#[derive(Clone, Copy)]
struct Tokens {
    subject: Claims,
    groups: Claims,
    roles: Claims,
    tenant: Claims,
    agent: Claims,
    scopes: Claims,
    /// Claims that tell the tokens for an API from others, with their value.
    required: &'static [(&'static str, &'static str)],
}

const USUAL: Tokens = Tokens {
    subject: Claims::Usual,
    groups: Claims::Usual,
    roles: Claims::Usual,
    tenant: Claims::Usual,
    agent: Claims::Usual,
    scopes: Claims::Usual,
    required: &[],
};

impl Provider {
    #[expect(clippy::too_many_lines, reason = "one row for each provider")]
    fn tokens(self) -> Tokens {
        use Claims::{Any, First};
        match self {
            Provider::Adfs => Tokens {
                agent: First(&["appid"]),
                scopes: First(&["scp"]),
                ..USUAL
            },
            Provider::Auth0 => Tokens {
                agent: First(&["azp", "client_id"]),
                scopes: Any(&["scope", "permissions"]),
                ..USUAL
            },
            Provider::Authentik => Tokens {
                roles: First(&["roles"]),
                agent: First(&["azp"]),
                ..USUAL
            },
            // Version 2 of its session tokens has an object `o`.
            Provider::Clerk => Tokens {
                roles: First(&["org_role", "o.rol"]),
                tenant: First(&["org_id", "o.id"]),
                agent: First(&["azp"]),
                ..USUAL
            },
            // The tokens of its service tokens have an empty `sub`.
            Provider::CloudflareAccess => Tokens {
                subject: First(&["sub", "common_name"]),
                required: &[("type", "app")],
                ..USUAL
            },
            // Its ID tokens have the client for their `aud`, and its access tokens have none.
            Provider::Cognito => Tokens {
                groups: First(&["cognito:groups"]),
                agent: First(&["client_id"]),
                scopes: First(&["scope"]),
                required: &[("token_use", "access")],
                ..USUAL
            },
            // What else its access tokens have depends on their version.
            Provider::Entra => Tokens {
                roles: First(&["roles"]),
                tenant: First(&["tid"]),
                agent: First(&["azp", "appid"]),
                scopes: First(&["scp"]),
                ..USUAL
            },
            Provider::GithubActions => Tokens {
                tenant: First(&["repository_owner"]),
                ..USUAL
            },
            Provider::Gitlab => Tokens {
                groups: First(&["groups_direct"]),
                tenant: First(&["namespace_path"]),
                ..USUAL
            },
            Provider::Google | Provider::GoogleIap => Tokens {
                tenant: First(&["hd"]),
                agent: First(&["azp"]),
                ..USUAL
            },
            // Its ID tokens have the same audience where a mapper adds it to them, and say `ID`.
            Provider::Keycloak => Tokens {
                agent: First(&["azp", "client_id"]),
                required: &[("typ", "Bearer")],
                ..USUAL
            },
            Provider::Kubernetes => Tokens {
                tenant: First(&["kubernetes.io.namespace"]),
                ..USUAL
            },
            Provider::Okta => Tokens {
                agent: First(&["cid"]),
                scopes: First(&["scp"]),
                ..USUAL
            },
            // The tokens of applications have no `sub`.
            Provider::Ping => Tokens {
                subject: First(&["sub", "client_id"]),
                agent: First(&["client_id"]),
                ..USUAL
            },
            Provider::Sap => Tokens {
                groups: First(&["groups", "xs.system.attributes.xs.saml.groups"]),
                roles: First(&["xs.system.attributes.xs.rolecollections"]),
                tenant: First(&["app_tid", "zid"]),
                agent: First(&["azp", "client_id", "cid"]),
                ..USUAL
            },
            Provider::Spiffe => USUAL,
            Provider::Zitadel => Tokens {
                roles: First(&["urn:zitadel:iam:org:project:roles"]),
                tenant: First(&["urn:zitadel:iam:user:resourceowner:id"]),
                agent: First(&["azp", "client_id"]),
                ..USUAL
            },
        }
    }

    /// Which claims say what in its tokens.
    #[must_use]
    pub fn claims(self) -> ClaimSettings {
        let usual = ClaimSettings::default();
        let Tokens {
            subject,
            groups,
            roles,
            tenant,
            agent,
            scopes,
            required: _,
        } = self.tokens();
        ClaimSettings {
            subject: one_of(subject, usual.subject),
            groups: listed(groups, usual.groups),
            roles: listed(roles, usual.roles),
            tenant: one_of(tenant, usual.tenant),
            agent: one_of(agent, usual.agent),
            scopes: listed(scopes, usual.scopes),
            device: usual.device,
        }
    }

    /// What its tokens for an API have and its others do not, where they are of an issuer of this
    /// name.
    #[must_use]
    pub fn required_claims(self, issuer: &str) -> Vec<RequiredClaim> {
        let claim = |path: &str, value| RequiredClaim {
            path: path.to_owned(),
            values: vec![value],
        };
        let required = self.tokens().required.iter();
        let required =
            required.map(|(path, value)| claim(path, RequiredValue::Text((*value).to_owned())));
        let client = (self == Provider::Entra).then(|| entra_client(issuer));
        let client = client.map(|path| claim(path, RequiredValue::Present));
        required.chain(client).collect()
    }
}

/// The claim in which access tokens of Microsoft Entra ID have their client, by their version; the
/// issuers of version 2 end in `/v2.0`. ID tokens of an app registration that is an API too have the
/// same `aud` and no such claim.
fn entra_client(issuer: &str) -> &'static str {
    if issuer.trim_end_matches('/').ends_with("/v2.0") {
        "azp"
    } else {
        "appid"
    }
}

fn one_of(claims: Claims, usual: Vec<String>) -> Vec<String> {
    match claims {
        Claims::Usual => usual,
        Claims::First(names) | Claims::Any(names) => paths(names),
    }
}

fn listed(claims: Claims, usual: ListedClaims) -> ListedClaims {
    match claims {
        Claims::Usual => usual,
        Claims::First(names) => ListedClaims::First(paths(names)),
        Claims::Any(names) => ListedClaims::Any(paths(names)),
    }
}
