//! What of a request proves who is calling.

use std::fmt;
use std::sync::LazyLock;

use smallvec::SmallVec;

use super::AuthenticationError;
use super::bearer;

/// The header that has the token after its scheme.
const AUTHORIZATION: &str = "authorization";
/// The parameter of the query in which no token may be for any server (RFC 6750 §2.3).
const ACCESS_TOKEN: &str = "access_token";

/// Where requests for one server have their token, and where they must not have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlace {
    /// The header that has the token by itself, in lower case. Without it the token is in
    /// `Authorization`, after the scheme `Bearer`.
    pub header: Option<String>,
    /// The parameters of the query that must not be there, besides `access_token`.
    pub query: Vec<String>,
}

impl TokenPlace {
    /// The parameters of the query in which people send credentials. Names that are also used for
    /// other things, such as `key` or `code`, are not among them.
    pub const QUERY: [&str; 13] = [
        ACCESS_TOKEN,
        "token",
        "id_token",
        "refresh_token",
        "auth_token",
        "bearer_token",
        "session_token",
        "jwt",
        "api_key",
        "apikey",
        "api-key",
        "x-api-key",
        "client_secret",
    ];

    /// The header in which the token is, in lower case.
    #[must_use]
    pub fn header_name(&self) -> &str {
        self.header.as_deref().unwrap_or(AUTHORIZATION)
    }
}

impl Default for TokenPlace {
    fn default() -> Self {
        TokenPlace {
            header: None,
            query: Self::QUERY.map(str::to_owned).to_vec(),
        }
    }
}

/// The credentials of one request. They are secrets, so they are never shown.
pub struct Credentials<'r> {
    place: &'r TokenPlace,
    /// The values of the first two headers that may have the token, as sent: two are as wrong as
    /// more.
    values: SmallVec<[&'r str; 2]>,
    /// The parameter of the query that must not be there.
    in_query: Option<&'r str>,
}

/// The place unless a server is configured otherwise.
static USUAL: LazyLock<TokenPlace> = LazyLock::new(TokenPlace::default);

impl<'r> Credentials<'r> {
    /// Those of a request for `path` (`:path`, undecoded) with these values of its `Authorization`
    /// headers, one for each occurrence.
    #[must_use]
    pub fn new(path: &str, authorization: impl IntoIterator<Item = &'r str>) -> Self {
        Self::at(&USUAL, path, authorization)
    }

    /// The same for a server whose tokens are in another place, with the values of that place's
    /// header.
    #[must_use]
    pub fn at(
        place: &'r TokenPlace,
        path: &str,
        values: impl IntoIterator<Item = &'r str>,
    ) -> Self {
        let names = place.query.iter().map(String::as_str);
        Credentials {
            place,
            values: values.into_iter().take(2).collect(),
            in_query: bearer::named_in_query(path, &names.chain([ACCESS_TOKEN])),
        }
    }

    /// The one bearer token.
    ///
    /// # Errors
    /// One for each way not to carry exactly one well-formed token of at most `bytes_max` bytes in
    /// the header.
    pub(super) fn bearer_token(&self, bytes_max: usize) -> Result<&'r str, AuthenticationError> {
        if self.in_query.is_some() {
            return Err(AuthenticationError::TokenInQuery);
        }
        match self.place.header {
            Some(_) => bearer::bare_token(&self.values, bytes_max),
            None => bearer::token(&self.values, bytes_max),
        }
    }

    /// The parameter or the header that is at fault where there is no token: a name from the
    /// configuration.
    pub(super) fn place_at_fault(&self) -> &'r str {
        self.in_query.unwrap_or_else(|| self.place.header_name())
    }

    /// Whether a proxy in front has to set the header, and not the client.
    pub(super) fn is_by_proxy(&self) -> bool {
        self.place.header.is_some()
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_from_one_header_and_never_from_the_query() {
        let token = |path, values: &[&'static str]| {
            Credentials::new(path, values.iter().copied()).bearer_token(99)
        };
        let repeated = Err(AuthenticationError::RepeatedCredentials);
        assert_eq!(token("/mcp?a=b", &["Bearer x"]), Ok("x"));
        assert_eq!(token("/mcp", &[]), Err(AuthenticationError::MissingToken));
        assert_eq!(token("/mcp", &["Bearer x", "Bearer x"]), repeated);
        assert_eq!(token("/mcp", &["Bearer x", "", ""]), repeated);
        let in_query = Err(AuthenticationError::TokenInQuery);
        assert_eq!(token("/mcp?access_token=x", &["Bearer x"]), in_query);
        assert_eq!(token("/mcp?access_token=x", &[]), in_query);
    }

    #[test]
    fn parameters_of_the_query_are_refused_by_their_whole_names() {
        let usual = TokenPlace::default();
        let none = TokenPlace {
            query: Vec::new(),
            ..TokenPlace::default()
        };
        let at_fault = |place, query: &str| {
            let path = format!("/mcp?{query}");
            let credentials = Credentials::at(place, &path, ["Bearer x"]);
            credentials
                .bearer_token(9)
                .is_err()
                .then(|| credentials.place_at_fault().to_owned())
        };
        for name in TokenPlace::QUERY {
            for query in [
                format!("{name}=x"),
                format!("a=b&{}=x", name.to_uppercase()),
                name.to_owned(),
            ] {
                assert_eq!(at_fault(&usual, &query).as_deref(), Some(name), "{query}");
            }
            let only = (name == ACCESS_TOKEN).then_some(ACCESS_TOKEN);
            assert_eq!(at_fault(&none, &format!("{name}=x")).as_deref(), only);
        }
        for honest in [
            "tokenize=1",
            "page_token=a",
            "next_token=a",
            "pageToken=a",
            "tokens=5",
            "max_tokens=5",
            "key=a",
            "code=a",
            "state=token",
            "q=api_key",
            "api_key_id=a",
        ] {
            assert_eq!(at_fault(&usual, honest), None, "{honest}");
        }
    }

    #[test]
    fn a_place_of_its_own_is_the_only_one() {
        let place = TokenPlace {
            header: Some("cf-access-jwt-assertion".to_owned()),
            ..TokenPlace::default()
        };
        let credentials = Credentials::at(&place, "/mcp", ["x"]);
        assert_eq!(credentials.bearer_token(9), Ok("x"));
        assert_eq!(credentials.place_at_fault(), "cf-access-jwt-assertion");
        let missing = Credentials::at(&place, "/mcp", []).bearer_token(9);
        assert_eq!(missing, Err(AuthenticationError::MissingToken));
    }

    #[test]
    fn credentials_are_not_shown() {
        let credentials = Credentials::new("/mcp", ["Bearer secret"]);
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
