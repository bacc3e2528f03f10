use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::super::set::InvalidKeySet;
use super::*;
use crate::authn::fixtures::{P256, RSA, jwks};
use crate::json::InvalidJson;

/// A loopback issuer that answers by path, and remembers what it was asked.
struct LoopbackIssuer {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl LoopbackIssuer {
    /// `answer` gets the base URL and the path.
    async fn new(answer: fn(&str, &str) -> Response) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (own_base, log) = (base.clone(), Arc::clone(&asked));
        let router = Router::new().fallback(move |request: Request| async move {
            let path = request.uri().path().to_owned();
            log.lock().unwrap().push(path.clone());
            answer(&own_base, &path)
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            base,
            asked,
            _tasks: tasks,
        }
    }

    async fn discover(&self, path: &str) -> Result<usize, FetchError> {
        fetched(IssuerSettings::new(format!("{}{path}", self.base))).await
    }

    async fn get(&self, path: &str) -> Result<usize, FetchError> {
        let source = KeySourceSettings::Uri(format!("{}{path}", self.base));
        fetched(IssuerSettings {
            source,
            ..IssuerSettings::new("i")
        })
        .await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn fetched(issuer: IssuerSettings) -> Result<usize, FetchError> {
    let settings = AuthnSettings {
        jwks_bytes_max: 4096,
        jwks_keys_max: 2,
        ..AuthnSettings::default()
    };
    let mut source = KeySource::new(&issuer, &settings, &Outbound::default()).unwrap();
    // The port of the place changes.
    let placeless = |error| {
        if let FetchError::Status(status, Some(_)) = error {
            FetchError::Status(status, None)
        } else {
            error
        }
    };
    source
        .fetch()
        .await
        .map(|keys| keys.len())
        .map_err(placeless)
}

fn keys() -> Response {
    jwks(&[P256.jwk(&json!({"kid": "k1"}))]).into_response()
}

fn metadata(issuer: &str, jwks_uri: &str) -> Response {
    json!({"issuer": issuer, "jwks_uri": jwks_uri})
        .to_string()
        .into_response()
}

fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

const RFC8414: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn metadata_is_found_by_rfc_8414_first() {
    let issuer = LoopbackIssuer::new(|base, path| match path {
        "/.well-known/oauth-authorization-server" => metadata(base, &format!("{base}/jwks")),
        "/jwks" => keys(),
        _ => not_found(),
    })
    .await;
    assert_eq!(issuer.discover("").await, Ok(1));
    assert_eq!(issuer.asked(), [RFC8414, "/jwks"]);
}

#[tokio::test]
async fn metadata_of_an_issuer_with_a_path_is_tried_in_the_order_of_the_specification() {
    let issuer = LoopbackIssuer::new(|base, path| match path {
        "/tenant1/.well-known/openid-configuration" => {
            metadata(&format!("{base}/tenant1"), &format!("{base}/jwks"))
        }
        "/jwks" => keys(),
        _ => not_found(),
    })
    .await;
    assert_eq!(issuer.discover("/tenant1").await, Ok(1));
    assert_eq!(
        issuer.asked(),
        [
            format!("{RFC8414}/tenant1"),
            format!("{OPENID}/tenant1"),
            format!("/tenant1{OPENID}"),
            "/jwks".to_owned(),
        ]
    );
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused() {
    let issuer = LoopbackIssuer::new(|base, path| match path {
        "/.well-known/oauth-authorization-server" => {
            metadata(&format!("{base}/"), &format!("{base}/jwks"))
        }
        "/jwks" => keys(),
        _ => not_found(),
    })
    .await;
    let other = format!("{}/", issuer.base);
    assert_eq!(
        issuer.discover("").await,
        Err(FetchError::of_another(Some(&other)))
    );
    assert_eq!(issuer.asked(), [RFC8414, OPENID]);
}

#[tokio::test]
async fn a_keys_url_that_is_not_protected_is_refused() {
    let issuer = LoopbackIssuer::new(|base, path| match path {
        "/a/.well-known/openid-configuration" => {
            metadata(&format!("{base}/a"), "http://keys.example/jwks")
        }
        "/b/.well-known/openid-configuration" => metadata(&format!("{base}/b"), "file:///jwks"),
        "/c/.well-known/openid-configuration" => json!({"issuer": format!("{base}/c")})
            .to_string()
            .into_response(),
        _ => not_found(),
    })
    .await;
    let plain = FetchError::PlainKeysUrl;
    assert!(plain.to_string().contains("`insecure_http: true`"));
    for (path, expected) in [
        ("/a", plain),
        ("/b", FetchError::NoKeysUrl),
        ("/c", FetchError::NoKeysUrl),
    ] {
        assert_eq!(issuer.discover(path).await, Err(expected), "{path}");
    }
    assert_eq!(
        issuer.discover("/d").await,
        Err(FetchError::Status(404, None))
    );
}

#[tokio::test]
async fn answers_that_are_no_key_set_are_refused() {
    let issuer = LoopbackIssuer::new(|base, path| match path {
        "/redirect" => (StatusCode::FOUND, [(LOCATION, format!("{base}/keys"))]).into_response(),
        "/error" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/empty" => ().into_response(),
        "/created" => (StatusCode::CREATED, keys()).into_response(),
        "/html" => "<html>".into_response(),
        "/many" => {
            let key = |kid: &str| P256.jwk(&json!({ "kid": kid }));
            jwks(&[key("a"), key("b"), key("c")]).into_response()
        }
        "/unusable" => jwks(&[RSA.jwk(&json!({"use": "enc"}))]).into_response(),
        "/large" => " ".repeat(4097).into_response(),
        "/largest" => format!("{:4096}", jwks(&[P256.jwk(&json!({}))])).into_response(),
        "/endless" => {
            let chunk = || Ok::<_, io::Error>(bytes::Bytes::from_static(&[b' '; 1024]));
            let chunks = tokio_stream::iter(std::iter::repeat_with(chunk));
            Response::new(Body::from_stream(chunks))
        }
        "/broken" => {
            let start = Ok(bytes::Bytes::from_static(b"{\"keys\":"));
            let end = Err(io::Error::other("gone"));
            Response::new(Body::from_stream(tokio_stream::iter([start, end])))
        }
        _ => keys(),
    })
    .await;
    let rows = [
        ("/keys", Ok(1)),
        ("/largest", Ok(1)),
        ("/redirect", Err(FetchError::Status(302, None))),
        ("/error", Err(FetchError::Status(500, None))),
        ("/created", Err(FetchError::Status(201, None))),
        (
            "/empty",
            Err(FetchError::KeySet(InvalidKeySet::Json(InvalidJson::Syntax))),
        ),
        (
            "/html",
            Err(FetchError::KeySet(InvalidKeySet::Json(InvalidJson::Syntax))),
        ),
        (
            "/many",
            Err(FetchError::KeySet(InvalidKeySet::TooManyKeys {
                count: 3,
                limit: 2,
            })),
        ),
        (
            "/unusable",
            Err(FetchError::KeySet(InvalidKeySet::NoUsableKey {
                skipped: 1,
            })),
        ),
        ("/large", Err(FetchError::TooLarge(4096))),
        ("/endless", Err(FetchError::TooLarge(4096))),
    ];
    for (path, expected) in rows {
        assert_eq!(issuer.get(path).await, expected, "{path}");
    }
    let asked = issuer.asked();
    let for_keys = asked.iter().filter(|path| *path == "/keys").count();
    assert_eq!(for_keys, 1, "the redirect was not followed");
    let broken = issuer.get("/broken").await;
    assert!(
        matches!(broken, Err(FetchError::Transport(_))),
        "{broken:?}"
    );
}

/// The token goes with every request to the configured host, and is read anew for each fetch.
#[tokio::test]
async fn keys_are_fetched_with_the_token_of_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let issuer = TokenIssuer::new().await;
    let settings = |source| IssuerSettings {
        source,
        token_file: Some(file.path().to_owned()),
        ..IssuerSettings::new(issuer.base.clone())
    };
    let uri = KeySourceSettings::Uri(format!("{}/jwks", issuer.base));
    for source in [uri, KeySourceSettings::Discovery] {
        let settings = settings(source);
        let limits = AuthnSettings::default();
        let mut source = KeySource::new(&settings, &limits, &Outbound::default()).unwrap();
        for token in ["first", "second"] {
            std::fs::write(&file, format!("{token}\n")).unwrap();
            assert_eq!(source.fetch().await.map(|keys| keys.len()), Ok(1));
            let own = format!("Bearer {token}");
            let sent = issuer.sent();
            assert!(sent.iter().all(|value| *value == own), "{sent:?}");
        }
    }
}

/// Whoever writes the metadata cannot have the token sent to a host of theirs.
#[tokio::test]
async fn the_token_of_a_file_goes_to_no_other_host() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "token").unwrap();
    let other = TokenIssuer::new().await;
    let other_base = other.base.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let own = base.clone();
    let router = Router::new()
        .fallback(move || async move { metadata(&own, &format!("{other_base}/jwks")) });
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let with_token = IssuerSettings {
        token_file: Some(file.path().to_owned()),
        ..IssuerSettings::new(base)
    };
    let outcome = fetched(with_token).await;
    assert_eq!(outcome, Err(FetchError::StatusWithoutToken(401)));
    assert_eq!(other.sent(), [""]);
}

#[tokio::test]
async fn a_file_that_is_no_token_is_said_and_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let issuer = TokenIssuer::new().await;
    let rows = [
        (Some(String::new()), "it is empty"),
        (Some(" \n".to_owned()), "it is empty"),
        (Some("hush hush".to_owned()), "it is not one token"),
        (Some("hush\r\nx: y".to_owned()), "it is not one token"),
        (Some("x".repeat(16385)), "it has more than 16384 bytes"),
        (None, "there is no such file"),
    ];
    for (content, expected) in rows {
        let path = directory.path().join("token");
        drop(std::fs::remove_file(&path));
        if let Some(content) = &content {
            std::fs::write(&path, content).unwrap();
        }
        let fault = fetched(IssuerSettings {
            source: KeySourceSettings::Uri(format!("{}/jwks", issuer.base)),
            token_file: Some(path),
            ..IssuerSettings::new("i")
        })
        .await
        .unwrap_err()
        .to_string();
        assert!(
            fault.contains(expected) && !fault.contains("hush"),
            "{fault}"
        );
    }
    assert_eq!(issuer.sent(), [""; 0]);
}

/// A loopback issuer that gives its metadata and keys to those who send a token.
struct TokenIssuer {
    base: String,
    sent: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl TokenIssuer {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (own, log) = (base.clone(), Arc::clone(&sent));
        let router = Router::new().fallback(move |request: Request| async move {
            let value = request.headers().get("authorization");
            let value = value.map_or("", |value| value.to_str().unwrap());
            log.lock().unwrap().push(value.to_owned());
            match (value, request.uri().path()) {
                ("", _) => StatusCode::UNAUTHORIZED.into_response(),
                (_, "/jwks") => keys(),
                (_, RFC8414) => metadata(&own, &format!("{own}/jwks")),
                (_, _) => not_found(),
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        TokenIssuer {
            base,
            sent,
            _tasks: tasks,
        }
    }

    fn sent(&self) -> Vec<String> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

/// A token may repeat where the keys of its issuer are, and that alone.
#[tokio::test]
async fn a_set_knows_where_it_was_fetched() {
    let issuer = LoopbackIssuer::new(|base, path| match path {
        RFC8414 => metadata(base, &format!("{base}/jwks")),
        "/jwks" => keys(),
        _ => not_found(),
    })
    .await;
    let base = &issuer.base;
    let uri = KeySourceSettings::Uri(format!("{base}/jwks"));
    for source in [uri, KeySourceSettings::Discovery] {
        let settings = IssuerSettings {
            source,
            ..IssuerSettings::new(base.clone())
        };
        let limits = AuthnSettings::default();
        let mut source = KeySource::new(&settings, &limits, &Outbound::default()).unwrap();
        let keys = source.fetch().await.unwrap();
        let rows = [
            (format!("{base}/jwks"), true),
            (format!("{base}/jwks?a=b"), false),
            (format!("{base}/jwks#a"), false),
            (format!("{base}/jwks/"), false),
            (format!("{base}/other"), false),
            (base.replace("http://", "http://u@") + "/jwks", false),
            (base.replace("http:", "https:") + "/jwks", false),
            ("/jwks".to_owned(), false),
            (String::new(), false),
        ];
        for (text, expected) in rows {
            assert_eq!(keys.is_from(&text), expected, "{text}");
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, jwks(&[P256.jwk(&json!({}))])).unwrap();
    let settings = IssuerSettings {
        source: KeySourceSettings::File(file.path().to_owned()),
        ..IssuerSettings::new(base.clone())
    };
    let limits = AuthnSettings::default();
    let mut source = KeySource::new(&settings, &limits, &Outbound::default()).unwrap();
    let keys = source.fetch().await.unwrap();
    assert!(!keys.is_from(&format!("{base}/jwks")));
}

/// An issuer whose certificate is of a private authority.
#[tokio::test]
async fn a_private_authority_is_trusted_only_through_its_ca_file() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let listener = TlsListener::new(&made).await;
    let base = format!(
        "https://localhost:{}",
        listener.tcp.local_addr().unwrap().port()
    );
    let mut tasks = JoinSet::new();
    let router = Router::new().fallback(|| async { keys() });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, made.cert.pem()).unwrap();
    let mut issuer = IssuerSettings::new("i");
    issuer.source = KeySourceSettings::Uri(format!("{base}/jwks"));
    let without = fetched(issuer.clone()).await;
    assert!(
        matches!(without, Err(FetchError::Transport(_))),
        "{without:?}"
    );
    issuer.ca_file = Some(file.path().to_owned());
    assert_eq!(fetched(issuer).await, Ok(1));
}

/// An issuer whose certificate says a lot, and is for other names.
#[tokio::test]
async fn what_a_certificate_says_is_not_told() {
    let names: Vec<String> = (0..200).map(|n| format!("evil-{n}.example")).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let listener = TlsListener::new(&made).await;
    let port = listener.tcp.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    let router = Router::new().fallback(|| async { keys() });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, made.cert.pem()).unwrap();
    let issuer = IssuerSettings {
        source: KeySourceSettings::Uri(format!("https://localhost:{port}/jwks")),
        ca_file: Some(file.path().to_owned()),
        ..IssuerSettings::new("i")
    };
    let fault = fetched(issuer).await.unwrap_err().to_string();
    assert!(
        fault.contains("another name") && !fault.contains("evil"),
        "{fault}"
    );
    assert!(fault.len() < 200, "{fault}");
}

/// The name is resolved as the connection is made, so it cannot be another address by then.
#[tokio::test]
async fn a_name_that_leads_inside_is_told_from_one_that_does_not_answer() {
    let outside = Url::parse("https://idp.example/").unwrap();
    let settings = AuthnSettings::default();
    let issuer = IssuerSettings::new("i");
    let direct = Outbound::default();
    let keys = Url::parse("https://localhost:9/jwks").unwrap();
    let guarded = client(
        &issuer,
        &settings,
        &direct,
        (&outside, Some(&direct.reach(&outside))),
    )
    .unwrap();
    let fault = FetchError::from(fetch::get(&guarded, &keys, 9, None).await.unwrap_err());
    assert_eq!(fault, FetchError::InternalKeysUrl);
    assert!(
        fault.to_string().contains("configure `jwks_uri`"),
        "{fault}"
    );
    let inside = direct.reach(&keys);
    let guarded = client(&issuer, &settings, &direct, (&outside, Some(&inside))).unwrap();
    let fault = FetchError::from(fetch::get(&guarded, &keys, 9, None).await.unwrap_err());
    assert!(matches!(fault, FetchError::Transport(_)), "{fault}");
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl TlsListener {
    async fn new(made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Self {
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: Arc::new(config).into(),
        }
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

#[tokio::test]
async fn an_unreachable_issuer_is_a_transport_fault_without_its_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let fault = fetched(IssuerSettings::new(format!("http://{address}")))
        .await
        .unwrap_err();
    let text = fault.to_string();
    assert!(matches!(fault, FetchError::Transport(_)), "{text}");
    assert!(text.contains("refused") && !text.contains("http"), "{text}");
}

#[tokio::test]
async fn files_are_read_up_to_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("good"), jwks(&[P256.jwk(&json!({}))])).unwrap();
    std::fs::write(at("large"), " ".repeat(4097)).unwrap();
    std::fs::write(at("bad"), "{}").unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(at("pipe"))
        .status();
    assert!(made.unwrap().success());
    let rows = [
        ("good", Ok(1)),
        ("large", Err(FetchError::TooLarge(4096))),
        ("bad", Err(FetchError::KeySet(InvalidKeySet::Shape))),
        (
            "none",
            Err(FetchError::File("there is no such file".to_owned())),
        ),
        (
            "pipe",
            Err(FetchError::File(
                "it is a pipe, not a regular file".to_owned(),
            )),
        ),
    ];
    for (name, expected) in rows {
        let source = KeySourceSettings::File(at(name));
        let issuer = IssuerSettings {
            source,
            ..IssuerSettings::new("i")
        };
        assert_eq!(fetched(issuer).await, expected, "{name}");
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let with = |path: PathBuf| {
        let issuer = IssuerSettings {
            ca_file: Some(path),
            ..IssuerSettings::new("https://h")
        };
        KeySource::new(&issuer, &AuthnSettings::default(), &Outbound::default()).err()
    };
    let fault = |cause: &str| {
        Some(InvalidSettings::CaFile {
            issuer: "https://h".into(),
            cause: cause.into(),
        })
    };
    assert_eq!(with(file.path().to_owned()), fault("no certificate in it"));
    let gone = file.path().with_extension("gone");
    assert_eq!(with(gone), fault("there is no such file"));
}

/// A file system that works again is noticed though looks at it hang for good.
#[tokio::test]
async fn a_file_is_read_again_though_many_looks_still_hang() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, jwks(&[P256.jwk(&json!({}))])).unwrap();
    let looks = Looks::shared(AuthnSettings::default().fetch_timeout);
    tokio::time::pause();
    let ends = looks.hang(8).await;
    let fault = read(file.path(), &looks, 4096).await.unwrap_err();
    assert_eq!(fault, FetchError::TimedOut);
    tokio::time::advance(std::time::Duration::from_mins(10)).await;
    tokio::time::resume();
    for _ in 0..3 {
        assert!(read(file.path(), &looks, 4096).await.is_ok());
    }
    drop(ends);
}
