//! The claims that an issuer's tokens have to have, by its settings.

use super::facts::at;
use crate::authn::claim_settings::{RequiredClaim, RequiredValue};
use crate::authn::issuer_name::TENANT_CLAIM;
use crate::authn::{AuthenticationError, Claim};
use crate::authz::{Value, is_left_out};

/// Whether a token has each of these claims, with one of its values.
pub(crate) fn check_required(
    claims: &Value<'_>,
    required: &[RequiredClaim],
) -> Result<(), AuthenticationError> {
    for (index, RequiredClaim { path, values }) in required.iter().enumerate() {
        let found = at(claims, path);
        if found.are_incomplete && !is_left_out(claims, path) {
            // Something is there, in another form or in two that differ.
            return Err(AuthenticationError::ClaimInvalid(Claim::Required(index)));
        }
        let Some(found) = found.values.filter(|_| !found.are_incomplete) else {
            return Err(AuthenticationError::ClaimMissing(Claim::Required(index)));
        };
        let mut items = found.iter().flat_map(|value| match value {
            Value::List(items) => items.as_slice(),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Unsound(_)
            | Value::Map(_) => std::slice::from_ref(*value),
        });
        if !items.any(|item| values.iter().any(|value| is(item, value))) {
            return Err(AuthenticationError::ClaimInvalid(Claim::Required(index)));
        }
    }
    Ok(())
}

fn is(value: &Value<'_>, required: &RequiredValue) -> bool {
    match required {
        RequiredValue::Text(text) => value.as_str() == Some(text),
        RequiredValue::Truth(truth) => *value == Value::Bool(*truth),
        RequiredValue::Present => !matches!(value, Value::Null) && value.as_str() != Some(""),
    }
}

/// Whether a token of one of several tenants names the same tenant as its `iss`.
pub(crate) fn check_tenant(claims: &Value<'_>, tenant: &str) -> Result<(), AuthenticationError> {
    match claims.member(TENANT_CLAIM) {
        None | Some(Value::Null) => Err(AuthenticationError::ClaimMissing(Claim::TenantId)),
        Some(Value::String(named)) if named == tenant => Ok(()),
        Some(_) => Err(AuthenticationError::ClaimInvalid(Claim::TenantId)),
    }
}
