use super::*;

fn files(directory: &tempfile::TempDir) -> TlsFiles {
    let files = TlsFiles {
        cert_file: directory.path().join("cert.pem"),
        key_file: directory.path().join("key.pem"),
        client_ca_file: Some(directory.path().join("ca.pem")),
    };
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&files.cert_file, made.cert.pem()).unwrap();
    std::fs::write(&files.key_file, made.signing_key.serialize_pem()).unwrap();
    std::fs::write(files.client_ca_file.as_ref().unwrap(), made.cert.pem()).unwrap();
    files
}

#[tokio::test]
async fn unreadable_files_are_reported_and_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(&directory);
    let tls = Arc::new(Tls::load(files.clone()).await.unwrap());
    let mut watcher = Arc::clone(&tls).watcher();
    assert!(!watcher.look().await);
    let places = [&files.cert_file, &files.key_file];
    for path in places.into_iter().chain(&files.client_ca_file) {
        let good = std::fs::read(path).unwrap();
        std::fs::remove_file(path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
        assert!(!watcher.look().await, "one look");
        assert!(watcher.look().await);
        assert!(!watcher.look().await, "told of once");
        let failing = tls.failing().unwrap();
        assert!(
            failing.contains("it is a pipe, not a regular file"),
            "{failing}"
        );
        let error = Tls::load(files.clone()).await.unwrap_err();
        assert_eq!(error.to_string(), failing);
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, good).unwrap();
        assert!(!watcher.look().await, "one look");
        assert!(watcher.look().await);
        assert_eq!(tls.failing(), None);
        assert_eq!(tls.failing(), None);
    }
}

/// A read that never started finds nothing; the files are applied once one succeeds.
#[tokio::test]
async fn hanging_reads_are_reported_only_where_they_are_the_last() {
    let directory = tempfile::tempdir().unwrap();
    let old = files(&directory);
    let tls = Arc::new(Tls::load(old.clone()).await.unwrap());
    let mut watcher = Arc::clone(&tls).watcher();
    tokio::time::pause();
    let _ends = watcher.looks().hang(3).await;
    assert_eq!(files(&directory).cert_file, old.cert_file);
    assert!(!watcher.look().await);
    assert_eq!(tls.failing(), None);
    tokio::time::advance(LOOK_TIME_MAX * 2).await;
    tokio::time::resume();
    assert!(!watcher.look().await, "one look");
    assert!(watcher.look().await);
    assert_eq!(tls.failing(), None);
    for _ in 0..3 {
        assert!(!watcher.look().await);
        assert_eq!(tls.failing(), None);
    }
}

/// A half-written chain may look valid, and a certificate read with the key of another pair is not
/// a pair.
#[tokio::test]
async fn files_are_applied_once_two_reads_agree() {
    let directory = tempfile::tempdir().unwrap();
    let places = files(&directory);
    let tls = Arc::new(Tls::load(places.clone()).await.unwrap());
    let mut watcher = Arc::clone(&tls).watcher();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&places.cert_file, made.cert.pem()).unwrap();
    assert!(!watcher.look().await, "no key for it");
    std::fs::write(&places.key_file, made.signing_key.serialize_pem()).unwrap();
    assert!(!watcher.look().await, "one look");
    assert_eq!(tls.failing(), None);
    assert!(watcher.look().await);
    assert_eq!(tls.failing(), None);
    assert!(!watcher.look().await);
}
