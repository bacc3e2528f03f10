use super::*;

fn metadata(resource: &str) -> Result<ResourceMetadata, InvalidResource> {
    ResourceMetadata::new(resource, &["https://idp.example".into()], &[], None)
}

#[test]
fn urls_insert_the_well_known_path() {
    let rows = [
        (
            "https://h/public/mcp",
            "https://h/.well-known/oauth-protected-resource/public/mcp",
        ),
        (
            "https://h",
            "https://h/.well-known/oauth-protected-resource",
        ),
        (
            "https://h:8443/a",
            "https://h:8443/.well-known/oauth-protected-resource/a",
        ),
        (
            "https://h/a?b=c",
            "https://h/.well-known/oauth-protected-resource/a?b=c",
        ),
        (
            "http://127.0.0.1:1/a",
            "http://127.0.0.1:1/.well-known/oauth-protected-resource/a",
        ),
    ];
    for (resource, url) in rows {
        let metadata = metadata(resource).unwrap();
        assert_eq!(metadata.url(), url);
        let (_, path) = url.split_once("//").unwrap().1.split_once('/').unwrap();
        assert!(metadata.is_at(&format!("/{path}")), "{path}");
    }
}

#[test]
fn paths_are_matched_exactly_and_nearly() {
    let metadata = metadata("https://h/mcp").unwrap();
    let rows = [
        // path (`~` is the well-known one), at this document, nearly at it, for any, root form
        ("~/mcp", [true, true, true, false]),
        ("~", [false, false, true, true]),
        ("~/", [false, false, true, true]),
        ("~/mcp/", [false, true, true, false]),
        ("~/mcp?a=b", [false, true, true, false]),
        ("~?a=b", [false, false, true, true]),
        ("~/../mcp", [false, false, true, false]),
        ("~s", [false, false, false, false]),
        (
            "/.well-known/%6fauth-protected-resource/mcp",
            [false, false, false, false],
        ),
        ("/mcp", [false, false, false, false]),
        ("~/mcp/?a=b", [false, true, true, false]),
        ("~/mcp//", [false, false, true, false]),
        ("~/mcpx", [false, false, true, false]),
    ];
    for (path, expected) in rows {
        let path = path.replacen('~', WELL_KNOWN, 1);
        let found = [
            metadata.is_at(&path),
            metadata.is_nearly_at(&path),
            is_metadata(&path),
            is_root(&path),
        ];
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn the_document_names_what_is_configured() {
    assert_eq!(
        metadata("https://h/mcp").unwrap().document(),
        r#"{"resource":"https://h/mcp","authorization_servers":["https://idp.example"],"bearer_methods_supported":["header"]}"#
    );
    let whole = ResourceMetadata::new(
        "https://h/mcp",
        &["https://a".into(), "https://b/".into()],
        &["r".into(), "w".into()],
        Some("A \"name\""),
    );
    assert_eq!(
        whole.unwrap().document(),
        r#"{"resource":"https://h/mcp","authorization_servers":["https://a","https://b/"],"scopes_supported":["r","w"],"bearer_methods_supported":["header"],"resource_name":"A \"name\""}"#
    );
}

#[test]
fn identifiers_that_clients_would_trip_over_are_refused() {
    let url = |text: &str| InvalidResource::Url(text.into());
    let slash = |text: &str| InvalidResource::TrailingSlash(text.into());
    let normal = |given: &str, normal: &str| InvalidResource::NotNormal {
        given: given.into(),
        normal: normal.into(),
    };
    let rows = [
        ("", url("")),
        ("/mcp", url("/mcp")),
        ("http://h/mcp", url("http://h/mcp")),
        ("ftp://h/mcp", url("ftp://h/mcp")),
        ("https://h/mcp#a", url("https://h/mcp#a")),
        ("https://u:p@h/mcp", url("https://u:p@h/mcp")),
        ("https://h/", slash("https://h/")),
        ("https://h/mcp/", slash("https://h/mcp/")),
        ("https://h/mcp/?a=b", slash("https://h/mcp/?a=b")),
        ("https://H/mcp", normal("https://H/mcp", "https://h/mcp")),
        ("https://H", normal("https://H", "https://h")),
        (
            "https://h:443/mcp",
            normal("https://h:443/mcp", "https://h/mcp"),
        ),
        (
            "https://h/a/../mcp",
            normal("https://h/a/../mcp", "https://h/mcp"),
        ),
        (
            "https://h/m?scope=a",
            InvalidResource::Challenge("https://h/m?scope=a".into()),
        ),
    ];
    for (resource, error) in rows {
        assert_eq!(metadata(resource), Err(error), "{resource}");
    }
}

#[test]
fn a_document_without_authorization_servers_names_none() {
    assert_eq!(
        ResourceMetadata::new("https://h", &[], &[], None)
            .unwrap()
            .document(),
        r#"{"resource":"https://h","bearer_methods_supported":["header"]}"#
    );
}

#[test]
fn clients_log_in_at_urls() {
    for issuer in [
        "https://idp.example",
        "https://idp.example/a/",
        "http://127.0.0.1:1/a",
    ] {
        assert!(is_authorization_server(issuer), "{issuer}");
    }
    for issuer in [
        "",
        "mcp.example.com",
        "local",
        "http://adfs.example/adfs/services/trust",
        "https://idp.example?a",
        "https://idp.example#a",
        "https://u@idp.example",
        "https://login.example/{tenantid}/v2.0",
        "spiffe://td/a",
    ] {
        assert!(!is_authorization_server(issuer), "{issuer}");
    }
}
