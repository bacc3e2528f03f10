use super::*;

fn config(text: &str) -> Config {
    match decode(
        "config.yaml".to_owned(),
        text.to_owned(),
        Path::new("/etc/x"),
    ) {
        Ok(config) => config,
        Err(findings) => panic!("{:#?}", findings.to_lines()),
    }
}

/// The keys that have no default.
const LEAST: &str = include_str!("../../../tests/data/configs/least.yaml");

/// Every key with a value that is not its default.
const MOST: &str = include_str!("../../../tests/data/configs/every-key.yaml");

#[test]
fn paths_are_relative_to_the_file() {
    let config = config(MOST);
    assert_eq!(config.policy, Path::new("/etc/x/policies"));
    let tls = config.tls.unwrap();
    assert_eq!(tls.cert_file, Path::new("/etc/x/cert.pem"));
    assert_eq!(tls.key_file, Path::new("/keys/key.pem"));
    let key_file = config.handoff.key_file.unwrap();
    assert_eq!(key_file, Path::new("/etc/x/handoff.keys"));
}

#[test]
fn a_server_trusts_every_issuer_unless_it_names_some() {
    let text = LEAST.replace(
        "[{issuer: https://idp.example.com}]",
        "[{issuer: https://a.test}, {issuer: https://b.test}]",
    );
    assert_eq!(
        config(&text).servers[0].issuers,
        ["https://a.test", "https://b.test"]
    );
    assert_eq!(config(MOST).servers[0].issuers, ["local"]);
}

#[test]
fn the_effective_configuration_is_a_configuration_that_says_the_same() {
    for text in [LEAST, MOST] {
        let effective = config(text).effective();
        assert_eq!(config(&effective.to_string()).effective(), effective);
    }
}

#[test]
fn every_key_changes_the_effective_configuration() {
    fn leaves(at: &str, value: &serde_json::Value, to: &mut Vec<(String, String)>) {
        if let serde_json::Value::Object(members) = value {
            for (name, member) in members {
                leaves(&format!("{at}.{name}"), member, to);
            }
        } else {
            to.push((at.to_owned(), value.to_string()));
        }
    }
    let of = |text| {
        let mut found = Vec::new();
        leaves("", &config(text).effective(), &mut found);
        found
    };
    let (least, most) = (of(LEAST), of(MOST));
    let same: Vec<_> = most.iter().filter(|leaf| least.contains(leaf)).collect();
    assert_eq!(same, Vec::<&(String, String)>::new());
}

#[test]
fn a_file_without_end_is_not_read_to_the_end() {
    let error = load(Path::new("/dev/zero")).unwrap_err();
    let ConfigError::Read { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.to_string(), "it is a device, not a regular file");
    let file = tempfile::NamedTempFile::new().unwrap();
    let length = FILE_BYTES_MAX + 1;
    file.as_file().set_len(length).unwrap();
    let error = load(file.path()).unwrap_err();
    let ConfigError::Read { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.to_string(), "it has more than 4194304 bytes");
}
