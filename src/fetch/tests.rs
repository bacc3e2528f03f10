use super::*;

#[test]
fn documents_are_fetched_from_https_or_loopback_only() {
    let rows = [
        ("https://h/jwks", true),
        ("https://10.0.0.1/jwks", true),
        ("http://localhost:1/jwks", true),
        ("http://127.0.0.1/jwks", true),
        ("http://127.9.9.9/jwks", true),
        ("http://[::1]:1/jwks", true),
        ("http://h/jwks", false),
        ("http://localhost.evil.example/jwks", false),
        ("http://10.0.0.1/jwks", false),
        ("http://[::ffff:127.0.0.1]/jwks", false),
        ("file:///jwks", false),
        ("unix:/jwks", false),
        ("https://", false),
        ("/jwks", false),
    ];
    for (url, expected) in rows {
        assert_eq!(fetchable_url(url).is_some(), expected, "{url}");
    }
}

mod proxied;
