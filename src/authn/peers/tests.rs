use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};

use super::*;

const GATEWAY: &str = "spiffe://acme/gateway";
const OTHER: &str = "spiffe://acme/other";

/// An authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate by this authority.
    fn sign(&self, params: &CertificateParams) -> String {
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer).unwrap().pem()
    }
}

fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text).unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(text).unwrap())
}

/// Good for 2026.
fn params(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "peer");
    params.subject_alt_names = names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

/// As Envoy encodes it.
fn encoded(pem: &str) -> String {
    percent_encoding::utf8_percent_encode(pem, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-20T10:00:00Z")
}

fn peers(pem: &str) -> Peers {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers.pem");
    std::fs::write(&path, pem).unwrap();
    Peers::open(Some(path)).unwrap()
}

/// The URIs and DNS names, or why there are none.
fn found(peers: &Peers, principal: &str, pem: &str) -> String {
    let encoded = encoded(pem);
    let principal = (!principal.is_empty()).then_some(principal);
    told(&peers.find(principal, Some(&encoded), now()))
}

fn told(peer: &FoundPeer) -> String {
    match peer {
        FoundPeer::Absent => "absent".to_owned(),
        FoundPeer::Unknown => "unknown".to_owned(),
        FoundPeer::Known(names) => {
            let all = names.uris.iter().chain(&names.dns).chain(&names.subject);
            all.map(|name| &**name).collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn only_certificates_that_somebody_vouches_for_say_who_a_peer_is() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let peers = peers(&ours.pem);
    let good = params(vec![uri(GATEWAY)]);
    let own = good
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .pem();
    let with = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = params(vec![uri(GATEWAY)]);
        change(&mut params);
        ours.sign(&params)
    };
    let for_servers =
        with(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let for_all = with(&|params| params.extended_key_usages = Vec::new());
    let authority = with(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let signed = ours.sign(&good);
    for (principal, pem, expected) in [
        (GATEWAY, &*signed, GATEWAY),
        (GATEWAY, &for_all, GATEWAY),
        (GATEWAY, &own, "unknown"),
        (GATEWAY, &theirs.sign(&good), "unknown"),
        (GATEWAY, &for_servers, "unknown"),
        (GATEWAY, &authority, "unknown"),
        (GATEWAY, &format!("{signed}{own}"), "unknown"),
        (
            GATEWAY,
            &signed.replace("CERTIFICATE", "PUBLIC KEY"),
            "unknown",
        ),
        (GATEWAY, "", "unknown"),
        (GATEWAY, "no certificate", "unknown"),
        (OTHER, &signed, "unknown"),
        ("", &signed, "unknown"),
        (GATEWAY, &ours.sign(&params(vec![dns(GATEWAY)])), GATEWAY),
        (
            OTHER,
            &ours.sign(&params(vec![uri(OTHER), uri(GATEWAY), uri(OTHER)])),
            "spiffe://acme/other spiffe://acme/gateway",
        ),
        ("a", &ours.sign(&params(vec![dns("a"), dns("b")])), "a b"),
        ("CN=peer", &ours.sign(&params(Vec::new())), "CN=peer"),
        ("", &ours.sign(&params(Vec::new())), ""),
    ] {
        assert_eq!(found(&peers, principal, pem), expected, "{principal} {pem}");
        // A second look finds the same.
        assert_eq!(found(&peers, principal, pem), expected);
    }
    let long = "A".repeat(CERTIFICATE_BYTES_MAX);
    assert_eq!(
        found(&peers, GATEWAY, &format!("{signed}{long}")),
        "unknown"
    );
    assert_eq!(told(&peers.find(None, None, now())), "absent");
    assert_eq!(told(&peers.find(Some(GATEWAY), None, now())), "unknown");
}

#[test]
fn the_kinds_of_names_are_those_of_the_certificate() {
    let ours = Authority::new("ours");
    let peers = peers(&ours.pem);
    let pem = encoded(&ours.sign(&params(vec![dns(GATEWAY), uri("urn:x")])));
    let FoundPeer::Known(names) = peers.find(Some("urn:x"), Some(&pem), now()) else {
        panic!("unknown");
    };
    let one = |name: &str| vec![Arc::<str>::from(name)];
    assert_eq!((&names.uris, &names.dns), (&one("urn:x"), &one(GATEWAY)));
}

#[test]
fn a_certificate_is_good_as_long_as_it_says() {
    let ours = Authority::new("ours");
    let pem = encoded(&ours.sign(&params(vec![uri(GATEWAY)])));
    let peers = peers(&ours.pem);
    // What was found at one time says nothing about another.
    for (time, expected) in [
        ("2026-11-20T10:00:00Z", GATEWAY),
        ("2025-12-31T23:59:59.999Z", "unknown"),
        ("2026-01-01T00:00:00Z", GATEWAY),
        ("2027-01-01T00:00:00.999Z", GATEWAY),
        ("2027-01-01T00:00:01Z", "unknown"),
        ("2026-11-20T10:00:00Z", GATEWAY),
    ] {
        let found = peers.find(Some(GATEWAY), Some(&pem), at(time));
        assert_eq!(told(&found), expected, "{time}");
    }
    let unverified = Peers::open(None).unwrap();
    let late = unverified.find(Some(GATEWAY), Some(&pem), at("2030-01-01T00:00:00Z"));
    assert_eq!(told(&late), GATEWAY, "as Envoy says");
}

#[test]
fn without_authorities_peers_are_who_envoy_says_as_far_as_the_certificate_agrees() {
    let peers = Peers::open(None).unwrap();
    assert!(!peers.are_verified());
    let own = |names| params(names).self_signed(&KeyPair::generate().unwrap());
    let pem = own(vec![uri(GATEWAY), uri(OTHER)]).unwrap().pem();
    assert_eq!(
        found(&peers, GATEWAY, &pem),
        "spiffe://acme/gateway spiffe://acme/other"
    );
    assert_eq!(found(&peers, "spiffe://acme/third", &pem), "unknown");
    assert_eq!(found(&peers, GATEWAY, "no certificate"), "unknown");
    let told = |principal| told(&peers.find(principal, None, now()));
    assert_eq!((&*told(Some(GATEWAY)), &*told(None)), (GATEWAY, "absent"));
}

#[test]
fn the_certificate_of_a_captured_check_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/checks");
    let bytes = std::fs::read(folder.join("mutual-tls.bin")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let start = text.find("-----BEGIN").unwrap();
    let end = "-----END%20CERTIFICATE-----%0A";
    let text = text
        .get(start..text.find(end).unwrap() + end.len())
        .unwrap();
    let name = "spiffe://mcp.test/agent";
    let peers = Peers::open(None).unwrap();
    let found = peers.find(Some(name), Some(text), now());
    assert_eq!(told(&found), "spiffe://mcp.test/agent localhost");
}

#[test]
fn an_intermediate_authority_vouches_by_itself() {
    let root = Authority::new("root");
    let mut between = CertificateParams::default();
    between
        .distinguished_name
        .push(DnType::CommonName, "between");
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = between.signed_by(&key, &root.issuer).unwrap().pem();
    let signed = params(vec![uri(GATEWAY)])
        .signed_by(&KeyPair::generate().unwrap(), &Issuer::new(between, key))
        .unwrap()
        .pem();
    assert_eq!(found(&peers(&root.pem), GATEWAY, &signed), "unknown");
    assert_eq!(found(&peers(&pem), GATEWAY, &signed), GATEWAY);
    assert_eq!(
        found(&peers(&format!("{}{pem}", root.pem)), GATEWAY, &signed),
        GATEWAY
    );
}

#[tokio::test(start_paused = true)]
async fn other_authorities_are_taken_up_and_broken_ones_are_not() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers.pem");
    std::fs::write(&path, &ours.pem).unwrap();
    let peers = Arc::new(Peers::open(Some(path.clone())).unwrap());
    let signed = theirs.sign(&params(vec![uri(GATEWAY)]));
    assert_eq!(found(&peers, GATEWAY, &signed), "unknown");
    let mut tasks = tokio::task::JoinSet::new();
    let (_ask, asked) = mpsc::channel(1);
    tasks.spawn(Arc::clone(&peers).watch(asked, Timestamp::now));
    std::fs::write(&path, "nothing").unwrap();
    tokio::time::sleep(LOOK_INTERVAL * 4).await;
    assert_eq!(found(&peers, GATEWAY, &signed), "unknown");
    let own = ours.sign(&params(vec![uri(GATEWAY)]));
    assert_eq!(found(&peers, GATEWAY, &own), GATEWAY, "the old ones stay");
    assert!(peers.failing().is_some());
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(LOOK_INTERVAL * 4).await;
    let failing = peers.failing().unwrap();
    let expected = format!(
        "cannot read the authorities of peers `{}`: there is no such file",
        path.display()
    );
    assert_eq!(failing.error, expected);
    std::fs::write(&path, &theirs.pem).unwrap();
    while found(&peers, GATEWAY, &signed) != GATEWAY {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    assert_eq!(found(&peers, GATEWAY, &own), "unknown");
    assert_eq!(peers.failing(), None);
}

#[test]
fn files_without_authorities_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers.pem");
    let refused = |text: Option<&str>| {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        Peers::open(Some(path.clone())).unwrap_err().to_string()
    };
    assert!(refused(None).starts_with("cannot read the authorities of peers"));
    let ours = Authority::new("ours");
    let broken = ours.pem.replace("MII", "MIX");
    for text in ["", "nothing", &broken, &format!("{}{broken}", ours.pem)] {
        assert!(refused(Some(text)).ends_with("certificates that can vouch for others"));
    }
    let directory = Peers::open(Some(folder.path().to_owned()));
    assert!(
        directory
            .unwrap_err()
            .to_string()
            .ends_with("it is a directory, not a regular file")
    );
}
