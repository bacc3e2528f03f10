//! From `Authorization` header values to the one bearer token, or why there is none.
//!
//! RFC 6750 §2.1. The content of the token is not read here.

use super::AuthenticationError;
use crate::byte_class;

/// The bearer token in the values of every `Authorization` header of one request.
///
/// `values` has one element for each occurrence, as sent; the scheme is compared ignoring case
/// (RFC 9110 §11.1).
///
/// # Errors
/// One for each way not to carry exactly one well-formed token of at most `token_bytes_max` bytes.
pub(super) fn token<'a>(
    values: &[&'a str],
    token_bytes_max: usize,
) -> Result<&'a str, AuthenticationError> {
    let value = match values {
        [] => return Err(AuthenticationError::MissingToken),
        [value] => value.trim_matches([' ', '\t']),
        [_, _, ..] => return Err(AuthenticationError::RepeatedCredentials),
    };
    if value.is_empty() {
        return Err(AuthenticationError::MissingToken);
    }
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.contains(',') {
        return Err(AuthenticationError::RepeatedCredentials);
    }
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(AuthenticationError::UnsupportedScheme);
    }
    let token = credentials.trim_start_matches(' ');
    if token.is_empty() {
        return Err(AuthenticationError::EmptyToken);
    }
    // Before anything walks over the bytes: a merged pair of headers is too large as well.
    if token.len() > token_bytes_max {
        return Err(AuthenticationError::TokenTooLarge);
    }
    if is_b64token(token) {
        Ok(token)
    } else if token.contains(',') {
        // It is how proxies, Envoy among them, merge repeated headers.
        Err(AuthenticationError::RepeatedCredentials)
    } else {
        Err(AuthenticationError::MalformedToken)
    }
}

/// Whether the query of `path` (`:path`, undecoded) names a parameter `access_token`.
///
/// Names are compared after percent-decoding. Both `&` and `;` separate parameters, since some
/// servers still split at `;`.
pub(super) fn is_in_query(path: &str) -> bool {
    let Some((_, query)) = path.split_once('?') else {
        return false;
    };
    query
        .split(['&', ';'])
        .flat_map(|pair| url::form_urlencoded::parse(pair.as_bytes()))
        .any(|(name, _)| name == "access_token")
}

/// `b64token` of RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase()
            | byte.is_ascii_uppercase()
            | byte.is_ascii_digit()
            | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    !body.is_empty() && byte_class::all(body.as_bytes(), b'a', is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use AuthenticationError::{
        EmptyToken, MalformedToken, MissingToken, RepeatedCredentials, TokenTooLarge,
        UnsupportedScheme,
    };

    #[test]
    fn the_one_token_or_why_not() {
        let rows: &[(&[&str], Result<&str, AuthenticationError>)] = &[
            (&["Bearer abc.DEF-1_2~+/=="], Ok("abc.DEF-1_2~+/==")),
            (&["bEARER abc"], Ok("abc")),
            (&[" Bearer  abc\t"], Ok("abc")),
            (&["Bearer 12345678901234567890"], Ok("12345678901234567890")),
            (&[], Err(MissingToken)),
            (&[""], Err(MissingToken)),
            (&["  "], Err(MissingToken)),
            (&["Bearer a", "Bearer b"], Err(RepeatedCredentials)),
            (&["Bearer a", "Bearer a"], Err(RepeatedCredentials)),
            (&["Bearer a", ""], Err(RepeatedCredentials)),
            (&["Bearer A,Bearer B"], Err(RepeatedCredentials)),
            (&["Bearer A, Basic B"], Err(RepeatedCredentials)),
            (&["Bearer A,"], Err(RepeatedCredentials)),
            (&[",Bearer A"], Err(RepeatedCredentials)),
            (&["Bearer,Bearer A"], Err(RepeatedCredentials)),
            (&["Basic dTpw"], Err(UnsupportedScheme)),
            (&["DPoP abc"], Err(UnsupportedScheme)),
            (&["abc"], Err(UnsupportedScheme)),
            (&["Bearer:abc"], Err(UnsupportedScheme)),
            (&["Bearer\tabc"], Err(UnsupportedScheme)),
            (&["Bearer"], Err(EmptyToken)),
            (&["Bearer   "], Err(EmptyToken)),
            (&["Bearer a b"], Err(MalformedToken)),
            (&["Bearer \ta"], Err(MalformedToken)),
            (&["Bearer a\u{0}b"], Err(MalformedToken)),
            (&["Bearer ä"], Err(MalformedToken)),
            (&["Bearer =="], Err(MalformedToken)),
            (&["Bearer a=b"], Err(MalformedToken)),
            (&["Bearer \"a\""], Err(MalformedToken)),
            (&["Bearer 123456789012345678901"], Err(TokenTooLarge)),
        ];
        for (values, expected) in rows {
            assert_eq!(&token(values, 20), expected, "{values:?}");
        }
    }

    #[test]
    fn access_token_in_the_query_is_seen_however_it_is_spelled() {
        let rows = [
            ("/mcp", false),
            ("/mcp?", false),
            ("/mcp/access_token", false),
            ("/mcp?token=a", false),
            ("/mcp?x=access_token", false),
            ("/mcp?my_access_token=a", false),
            ("/mcp?Access_Token=a", false),
            ("/mcp?access_token=a", true),
            ("/mcp?access_token", true),
            ("/mcp?access_token=", true),
            ("/mcp?x=1&access_token=a", true),
            ("/mcp?x=1;access_token=a", true),
            ("/mcp?%61ccess%5Ftoken=a", true),
            ("/mcp?x=%zz&access_token=a", true),
            ("/mcp?x=/?&access_token=a", true),
        ];
        for (path, expected) in rows {
            assert_eq!(is_in_query(path), expected, "{path}");
        }
    }
}
