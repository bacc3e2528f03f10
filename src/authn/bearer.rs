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
    self::credentials(credentials.trim_start_matches(' '), token_bytes_max)
}

/// The token after its scheme.
fn credentials(token: &str, token_bytes_max: usize) -> Result<&str, AuthenticationError> {
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

/// The one token in the values of every header that has it by itself, without a scheme. A proxy may
/// write `Bearer` before it all the same.
///
/// # Errors
/// Those of [`token`].
pub(super) fn bare_token<'a>(
    values: &[&'a str],
    token_bytes_max: usize,
) -> Result<&'a str, AuthenticationError> {
    let [value] = values else {
        return token(values, token_bytes_max);
    };
    let value = value.trim_matches([' ', '\t']);
    if value.is_empty() {
        return Err(AuthenticationError::MissingToken);
    }
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => {
            token.trim_start_matches(' ')
        }
        Some(_) | None => value,
    };
    credentials(token, token_bytes_max)
}

/// The first of `names` that the query of `path` (`:path`, undecoded) has as a parameter.
///
/// Names are compared after percent-decoding, without regard to the case of ASCII letters. Both `&`
/// and `;` separate parameters, since some servers still split at `;`.
pub(super) fn named_in_query<'n>(
    path: &str,
    names: &(impl Iterator<Item = &'n str> + Clone),
) -> Option<&'n str> {
    let (_, query) = path.split_once('?')?;
    query
        .split(['&', ';'])
        .flat_map(|pair| url::form_urlencoded::parse(pair.as_bytes()))
        .find_map(|(name, _)| names.clone().find(|own| own.eq_ignore_ascii_case(&name)))
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
    fn a_token_by_itself_needs_no_scheme() {
        let rows: &[(&[&str], Result<&str, AuthenticationError>)] = &[
            (&["abc.DEF-1_2~+/=="], Ok("abc.DEF-1_2~+/==")),
            (&[" abc\t"], Ok("abc")),
            (&["Bearer abc"], Ok("abc")),
            (&["bearer  abc"], Ok("abc")),
            (&["12345678901234567890"], Ok("12345678901234567890")),
            (&[], Err(MissingToken)),
            (&[""], Err(MissingToken)),
            (&[" \t"], Err(MissingToken)),
            (&["a", "a"], Err(RepeatedCredentials)),
            (&["a", ""], Err(RepeatedCredentials)),
            (&["a,a"], Err(RepeatedCredentials)),
            (&["a, a"], Err(RepeatedCredentials)),
            (&["Bearer a, b"], Err(RepeatedCredentials)),
            (&["Basic abc"], Err(MalformedToken)),
            (&["Bearer a b"], Err(MalformedToken)),
            (&["\"a\""], Err(MalformedToken)),
            (&["ä"], Err(MalformedToken)),
            (&["=="], Err(MalformedToken)),
            (&["123456789012345678901"], Err(TokenTooLarge)),
        ];
        for (values, expected) in rows {
            assert_eq!(&bare_token(values, 20), expected, "{values:?}");
        }
    }

    #[test]
    fn a_credential_in_the_query_is_seen_however_it_is_spelled() {
        let named = |path| named_in_query(path, &["access_token", "api_key"].into_iter());
        let access_token = Some("access_token");
        let rows = [
            ("/mcp", None),
            ("/mcp?", None),
            ("/mcp/access_token", None),
            ("/mcp?token=a", None),
            ("/mcp?x=access_token", None),
            ("/mcp?my_access_token=a", None),
            ("/mcp?access_tokens=a", None),
            ("/mcp?access_token2=a", None),
            ("/mcp?accesstoken=a", None),
            ("/mcp?%2561ccess_token=a", None),
            ("/mcp?Access_Token=a", access_token),
            ("/mcp?access_token=a", access_token),
            ("/mcp?access_token", access_token),
            ("/mcp?access_token=", access_token),
            ("/mcp?x=1&access_token=a", access_token),
            ("/mcp?x=1;access_token=a", access_token),
            ("/mcp?%61ccess%5Ftoken=a", access_token),
            ("/mcp?x=%zz&access_token=a", access_token),
            ("/mcp?x=/?&access_token=a", access_token),
            ("/mcp?x=1&API_KEY=a", Some("api_key")),
        ];
        for (path, expected) in rows {
            assert_eq!(named(path), expected, "{path}");
        }
    }
}
