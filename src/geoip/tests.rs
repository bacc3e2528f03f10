use super::*;

/// A string of the data section (`MaxMind` DB format 2.0): type 2, up to 28 bytes.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![0b0100_0000 | u8::try_from(text.len()).unwrap()];
    bytes.extend(text.as_bytes());
    bytes
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0b1110_0000 | u8::try_from(members.len()).unwrap()];
    for (name, value) in members {
        bytes.extend(text(name));
        bytes.extend(value);
    }
    bytes
}

fn number(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut number = vec![kind << 5 | u8::try_from(bytes.len()).unwrap()];
    number.extend(bytes);
    number
}

/// An IPv4 database that has the country of 0.0.0.0/1 and of nothing else.
fn database(country: &str) -> Vec<u8> {
    let data = map(&[("country", map(&[("iso_code", text(country))]))]);
    // One node: its left record points to the data (1 node + 16 bytes of separator). Its right
    // record points to nothing, which is the number of nodes.
    let mut bytes = vec![0, 0, 17, 0, 0, 1];
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    let epoch = vec![0b0000_0100, 2, 0x60, 0, 0, 0];
    bytes.extend(map(&[
        ("binary_format_major_version", number(5, &[2])),
        ("binary_format_minor_version", number(5, &[])),
        ("build_epoch", epoch),
        ("database_type", text("Test-Country")),
        ("description", map(&[("en", text("test"))])),
        ("ip_version", number(5, &[4])),
        ("languages", vec![0b0000_0000, 4]),
        ("node_count", number(6, &[1])),
        ("record_size", number(5, &[24])),
    ]));
    bytes
}

#[test]
fn countries_are_read_and_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countries.mmdb");
    assert!(matches!(
        Countries::open(path.clone()),
        Err(InvalidCountries::Read { .. })
    ));
    std::fs::write(&path, b"no database").unwrap();
    assert!(matches!(
        Countries::open(path.clone()),
        Err(InvalidCountries::Format { .. })
    ));
    std::fs::write(&path, database("DE")).unwrap();
    let countries = Countries::open(path.clone()).unwrap();
    for (address, country) in [
        ("10.1.2.3", Some("DE")),
        ("::ffff:10.1.2.3", Some("DE")),
        ("192.0.2.1", None),
        ("2001:db8::1", None),
    ] {
        let found = countries.country(address.parse().unwrap());
        assert_eq!(found.as_deref(), country, "{address}");
    }
    std::fs::write(&path, b"damaged").unwrap();
    assert!(countries.reload().is_err());
    let address = "10.1.2.3".parse().unwrap();
    assert_eq!(countries.country(address).as_deref(), Some("DE"));
    std::fs::write(&path, database("FR")).unwrap();
    countries.reload().unwrap();
    assert_eq!(countries.country(address).as_deref(), Some("FR"));
}

/// Checks are five seconds apart, and two in a row must agree.
#[tokio::test]
async fn an_unreadable_database_is_reported_until_it_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countries.mmdb");
    std::fs::write(&path, database("DE")).unwrap();
    let countries = Arc::new(Countries::open(path.clone()).unwrap());
    assert_eq!(countries.failing(), None);
    let mut watcher = Arc::clone(&countries).watcher(|| Timestamp::UNIX_EPOCH);
    assert!(!watcher.look().await);
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert!(!watcher.look().await);
    assert_eq!(countries.failing(), None);
    assert!(watcher.look().await);
    let failing = countries.failing().unwrap();
    assert!(failing.error.contains("it is a pipe"), "{}", failing.error);
    assert!(!watcher.look().await, "once");
    let address = "10.1.2.3".parse().unwrap();
    assert_eq!(countries.country(address).as_deref(), Some("DE"));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, database("FR")).unwrap();
    assert!(!watcher.look().await);
    assert!(watcher.look().await);
    assert_eq!(countries.country(address).as_deref(), Some("FR"));
    assert_eq!(countries.failing(), None);
}

/// Reads that hang for good keep a new database out only until one succeeds.
#[tokio::test]
async fn a_database_is_loaded_though_earlier_reads_still_hang() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countries.mmdb");
    std::fs::write(&path, database("DE")).unwrap();
    let countries = Arc::new(Countries::open(path.clone()).unwrap());
    let mut watcher = Arc::clone(&countries).watcher(|| Timestamp::UNIX_EPOCH);
    tokio::time::pause();
    let _ends = watcher.looks().hang(3).await;
    std::fs::write(&path, database("FR")).unwrap();
    assert!(!watcher.look().await, "not begun");
    tokio::time::advance(LOOK_TIME_MAX * 2).await;
    tokio::time::resume();
    assert!(!watcher.look().await);
    assert!(watcher.look().await);
    let address = "10.1.2.3".parse().unwrap();
    assert_eq!(countries.country(address).as_deref(), Some("FR"));
}
