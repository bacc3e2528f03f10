//! Requests through a proxy on loopback, which does as it is told.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;

/// What a proxy does with a request.
#[derive(Debug, Clone, Copy)]
enum Conduct {
    /// Connects to this address, whatever it is asked for.
    Connect(SocketAddr),
    /// Answers with this, and ends the connection.
    Say(&'static [u8]),
    /// Sends a head that never ends.
    Babble,
    /// Answers nothing.
    Silence,
}

/// Something on loopback that answers every connection in the same way.
struct Host {
    address: SocketAddr,
    /// The heads of the requests that came.
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Host {
    /// A proxy, over TLS where it has a certificate.
    async fn proxy(conduct: Conduct, identity: Option<&Identity>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let acceptor = identity.map(Identity::acceptor);
        let log = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, acceptor) = (Arc::clone(&log), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => serve(stream, conduct, &log).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, conduct, &log).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    /// A web server that says `keys` to everybody.
    async fn web(identity: Option<&Identity>) -> Self {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkeys";
        Self::proxy(Conduct::Say(answer), identity).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    conduct: Conduct,
    log: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let text = String::from_utf8(head).unwrap();
    log.lock().unwrap().push(text.clone());
    match conduct {
        Conduct::Connect(to) => {
            let mut target = TcpStream::connect(to).await.unwrap();
            if text.starts_with("CONNECT ") {
                let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            } else {
                target.write_all(text.as_bytes()).await.unwrap();
            }
            // How either end closes is no matter.
            drop(tokio::io::copy_bidirectional(&mut stream, &mut target).await);
        }
        Conduct::Say(answer) => {
            // Who is not interested may be gone.
            drop(stream.write_all(answer).await);
            drop(stream.shutdown().await);
        }
        Conduct::Babble => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n").await);
            while stream.write_all(b"x: yyyyyyyyyyyyyyyyy\r\n").await.is_ok() {}
        }
        Conduct::Silence => std::future::pending().await,
    }
}

/// A certificate with its key, and a file that has it as a trust root.
struct Identity {
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Identity {
    fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, made.cert.pem()).unwrap();
        Self { made, file }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key =
            rustls::pki_types::PrivatePkcs8KeyDer::from(self.made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.made.cert.der().clone()], key.into())
            .unwrap();
        Arc::new(config).into()
    }
}

/// Through this proxy, with this file of trust roots.
fn outbound(proxy: &str, exceptions: &[&str], ca: Option<&Identity>) -> Outbound {
    let settings = FetchSettings {
        proxy: Some(ProxySettings {
            url: proxy_url(proxy).unwrap(),
            exceptions: exceptions
                .iter()
                .map(|text| text.parse().unwrap())
                .collect(),
        }),
        ca_file: ca.map(|ca| ca.file.path().to_owned()),
    };
    Outbound::open(&settings).unwrap()
}

fn to(host: &Host) -> String {
    format!("http://{}", host.address)
}

async fn fetched(outbound: &Outbound, url: &str) -> Result<String, GetError> {
    fetched_by(outbound, url, None, None).await
}

async fn fetched_by(
    outbound: &Outbound,
    url: &str,
    ca_file: Option<&Path>,
    reach: Option<&Reach>,
) -> Result<String, GetError> {
    let url = Url::parse(url).unwrap();
    let settings = ClientSettings {
        timeout: Duration::from_secs(20),
        ca_file,
        reach,
        insecure_http: false,
    };
    let client = outbound.client(&url, settings).unwrap();
    let body = get(&client, &url, 64, None).await?;
    Ok(String::from_utf8(body).unwrap())
}

/// A name that nothing but the proxy leads to.
const KEYS: &str = "https://keys.example:8443/jwks";
const PLAIN_KEYS: &str = "http://keys.example:8080/jwks";

#[expect(
    clippy::unnecessary_wraps,
    reason = "what is fetched is compared with it"
)]
fn keys() -> Result<String, GetError> {
    Ok("keys".to_owned())
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_the_proxy_learns_the_host_alone() {
    let identity = Identity::new("keys.example");
    let web = Host::web(Some(&identity)).await;
    let proxy = Host::proxy(Conduct::Connect(web.address), None).await;
    let trusting = outbound(&to(&proxy), &[], Some(&identity));
    assert_eq!(fetched(&trusting, KEYS).await, keys());
    let asked = proxy.asked();
    let [head] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert!(
        head.starts_with("CONNECT keys.example:8443 HTTP/1.1\r\n"),
        "{head}"
    );
    let low = head.to_ascii_lowercase();
    assert!(
        !low.contains("authorization") && !low.contains("jwks"),
        "{head}"
    );
    assert!(web.asked()[0].starts_with("GET /jwks HTTP/1.1\r\n"));
}

#[tokio::test]
async fn the_trust_roots_of_all_requests_and_of_one_add_up() {
    let (one, all) = (
        Identity::new("keys.example"),
        Identity::new("other.example"),
    );
    let web = Host::web(Some(&one)).await;
    let proxy = Host::proxy(Conduct::Connect(web.address), None).await;
    let own = Some(one.file.path());
    for (ca, ca_file, is_trusted) in [
        (None, None, false),
        (Some(&all), None, false),
        (Some(&one), None, true),
        (None, own, true),
        (Some(&all), own, true),
        (Some(&one), Some(all.file.path()), true),
    ] {
        let outcome = fetched_by(&outbound(&to(&proxy), &[], ca), KEYS, ca_file, None).await;
        // It is the host that is not trusted, and not the proxy.
        let is_as_expected = match &outcome {
            Err(GetError::Transport(cause)) => !is_trusted && cause.contains("certificate"),
            other => is_trusted && *other == keys(),
        };
        assert!(is_as_expected, "{outcome:?}");
    }
}

#[tokio::test]
async fn plain_http_is_asked_of_the_proxy_by_its_whole_url() {
    let web = Host::web(None).await;
    let proxy = Host::proxy(Conduct::Connect(web.address), None).await;
    assert_eq!(
        fetched(&outbound(&to(&proxy), &[], None), PLAIN_KEYS).await,
        keys()
    );
    let head = &proxy.asked()[0];
    assert!(
        head.starts_with("GET http://keys.example:8080/jwks HTTP/1.1\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn loopback_and_exceptions_are_reached_without_the_proxy() {
    let web = Host::web(None).await;
    let proxy = Host::proxy(Conduct::Silence, None).await;
    let port = web.address.port();
    let excepting = outbound(&to(&proxy), &["keys.example"], None);
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}/jwks");
        assert_eq!(fetched(&excepting, &url).await, keys(), "{host}");
    }
    // No name server knows it.
    for url in [KEYS, PLAIN_KEYS] {
        let outcome = fetched(&excepting, url).await;
        assert!(
            matches!(outcome, Err(GetError::Transport(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(proxy.asked(), [""; 0]);
}

#[tokio::test]
async fn what_a_hostile_proxy_says_is_a_fault_of_its_own() {
    let asks = GetError::Proxy(ProxyFault::CredentialsAsked);
    let makes_none = GetError::Proxy(ProxyFault::NotConnected);
    let say = Conduct::Say;
    let redirect =
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let large = b"HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n\
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let rows = [
        (
            KEYS,
            say(b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\n\r\n"),
            Some(asks.clone()),
        ),
        (
            KEYS,
            say(b"HTTP/1.1 403 evil words\r\n\r\n"),
            Some(makes_none.clone()),
        ),
        (
            KEYS,
            say(b"HTTP/1.1 502 evil words\r\n\r\n"),
            Some(makes_none.clone()),
        ),
        (KEYS, say(redirect), Some(makes_none.clone())),
        (KEYS, say(b"evil words\r\n\r\n"), Some(makes_none.clone())),
        (KEYS, say(b""), Some(makes_none.clone())),
        (KEYS, Conduct::Babble, Some(makes_none)),
        // A connection to nobody who has the host's certificate.
        (KEYS, say(b"HTTP/1.1 200 OK\r\n\r\nevil words"), None),
        (KEYS, say(large), None),
        (
            PLAIN_KEYS,
            say(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n"),
            Some(asks),
        ),
        (PLAIN_KEYS, say(redirect), Some(GetError::Status(302))),
        (PLAIN_KEYS, say(large), Some(GetError::TooLarge(64))),
        (PLAIN_KEYS, say(b"evil words\r\n\r\n"), None),
        (PLAIN_KEYS, say(b""), None),
        (PLAIN_KEYS, Conduct::Babble, None),
    ];
    for (url, conduct, expected) in rows {
        let proxy = Host::proxy(conduct, None).await;
        let error = fetched(&outbound(&to(&proxy), &[], None), url)
            .await
            .unwrap_err();
        match expected {
            Some(expected) => assert_eq!(error, expected, "{url} {conduct:?}"),
            None => assert!(
                matches!(error, GetError::Transport(_)),
                "{url} {conduct:?}: {error:?}"
            ),
        }
        let text = error.to_string();
        assert!(!text.contains("evil") && !text.contains("://"), "{text}");
        assert_eq!(proxy.asked().len(), 1, "{url} {conduct:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_answers_nothing_is_waited_for_no_longer_than_a_host() {
    for url in [KEYS, PLAIN_KEYS] {
        let proxy = Host::proxy(Conduct::Silence, None).await;
        let silent = outbound(&to(&proxy), &[], None);
        tokio::time::pause();
        assert_eq!(
            fetched(&silent, url).await,
            Err(GetError::TimedOut),
            "{url}"
        );
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_a_host_that_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for url in [KEYS, PLAIN_KEYS] {
        let error = fetched(&outbound(&gone, &[], None), url).await.unwrap_err();
        assert!(
            matches!(&error, GetError::Proxy(ProxyFault::Unreachable(cause)) if cause.contains("refused")),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.starts_with("no connection to the proxy: ") && !text.contains("http"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_certificate_of_a_proxy_is_verified() {
    let (own, host) = (Identity::new("localhost"), Identity::new("keys.example"));
    let web = Host::web(Some(&host)).await;
    let proxy = Host::proxy(Conduct::Connect(web.address), Some(&own)).await;
    let url = format!("https://localhost:{}", proxy.address.port());
    let error = fetched(&outbound(&url, &[], Some(&host)), KEYS)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, GetError::Proxy(ProxyFault::Unreachable(cause)) if cause.contains("certificate")),
        "{error:?}"
    );
    assert_eq!(proxy.asked(), [""; 0]);
    let trusting = outbound(&url, &[], Some(&own));
    let through = fetched_by(&trusting, KEYS, Some(host.file.path()), None).await;
    assert_eq!(through, keys());
}

/// The proxy has an internal address, as proxies have, and an issuer outside cannot name it.
#[tokio::test]
async fn the_way_to_an_issuer_outside_leads_to_the_proxy_and_not_past_it() {
    let identity = Identity::new("keys.example");
    let web = Host::web(Some(&identity)).await;
    let proxy = Host::proxy(Conduct::Connect(web.address), None).await;
    let named = format!("http://localhost:{}", proxy.address.port());
    let through = outbound(
        &named,
        &["inside.example", "localhost.localdomain"],
        Some(&identity),
    );
    let reach = through.reach(&Url::parse("https://idp.example/").unwrap());
    let guarded = fetched_by(&through, KEYS, None, Some(&reach)).await;
    assert_eq!(guarded, keys());
    for (url, expected) in [
        ("https://localhost:1/", false),
        ("https://127.0.0.1:1/", false),
        ("https://10.0.0.1/", false),
        ("https://[fd00::1]/", false),
        ("https://vault/", false),
        ("https://vault.internal./", false),
        ("https://printer.local/", false),
        ("https://ip6-localhost.localdomain/", false),
        ("https://printer.home.arpa/", false),
        ("https://home.arpa/", false),
        ("https://keys.example/", true),
        ("https://notlocal/", false),
        ("https://arpa.example/", true),
        ("https://internal.example/", true),
        ("https://9.9.9.9/", true),
        // It is resolved here, so that its addresses are judged.
        ("https://inside.example/", true),
        // Its own.
        ("https://idp.example/", true),
    ] {
        assert_eq!(
            reach.may_lead_to(&Url::parse(url).unwrap()),
            expected,
            "{url}"
        );
    }
    let own = through.reach(&Url::parse("https://idp.internal/").unwrap());
    assert!(own.may_lead_to(&Url::parse("https://idp.internal/jwks").unwrap()));
    assert!(!own.may_lead_to(&Url::parse("https://keys.internal/").unwrap()));
}

#[test]
fn an_issuer_outside_cannot_name_the_proxy() {
    let through = outbound("http://proxy.example:3128", &["proxy.example"], None);
    let reach = through.reach(&Url::parse("https://idp.example/").unwrap());
    for host in ["proxy.example", "PROXY.example.", "proxy.example:3128"] {
        let url = Url::parse(&format!("https://{host}/")).unwrap();
        assert!(!reach.may_lead_to(&url), "{host}");
    }
    let literal = outbound("http://9.9.9.9:3128", &[], None);
    let reach = literal.reach(&Url::parse("https://idp.example/").unwrap());
    assert!(!reach.may_lead_to(&Url::parse("https://9.9.9.9/").unwrap()));
}

#[test]
fn a_ca_file_for_all_requests_has_to_have_a_certificate() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let open = |path: PathBuf| {
        let settings = FetchSettings {
            proxy: None,
            ca_file: Some(path),
        };
        Outbound::open(&settings)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let empty = open(file.path().to_owned());
    assert_eq!(empty, "`fetch.ca_file`: no certificate in it");
    let gone = open(file.path().with_extension("gone"));
    assert_eq!(gone, "`fetch.ca_file`: there is no such file");
}
