use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::*;

fn told(result: Result<Vec<u8>, ReadError>) -> String {
    match result {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn only_a_regular_file_is_read_and_the_rest_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("file"), "four").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    symlink("file", at("link")).unwrap();
    symlink("nothing", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("/dev/zero", at("device")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    let rows = [
        ("file", "4 bytes", Some(Some(FileKind::File))),
        ("link", "4 bytes", Some(Some(FileKind::File))),
        ("none", "there is no such file", Some(None)),
        ("none/below", "there is no such file", Some(None)),
        ("file/below", "Not a directory (os error 20)", Some(None)),
        ("dangling", "it is a link to nothing", None),
        (
            "folder",
            "it is a directory, not a regular file",
            Some(Some(FileKind::Directory)),
        ),
        (
            "pipe",
            "it is a pipe, not a regular file",
            Some(Some(FileKind::Other("a pipe"))),
        ),
        (
            "socket",
            "it is a socket, not a regular file",
            Some(Some(FileKind::Other("a socket"))),
        ),
        (
            "device",
            "it is a device, not a regular file",
            Some(Some(FileKind::Other("a device"))),
        ),
    ];
    for (name, expected, of_kind) in rows {
        assert_eq!(told(read(&at(name), 4)), expected, "{name}");
        assert_eq!(kind(&at(name)).ok(), of_kind, "{name}");
        let is_regular = of_kind == Some(Some(FileKind::File));
        assert_eq!(stamp(&at(name)).is_ok(), is_regular, "{name}");
    }
    let looped = told(read(&at("loop"), 4));
    assert!(looped.contains("symbolic links"), "{looped}");
    assert!(kind(&at("loop")).is_err());
}

#[test]
fn a_file_is_read_up_to_its_limit_and_as_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "\u{e9}").unwrap();
    assert_eq!(read_text(&path, 2).unwrap(), "\u{e9}");
    assert!(matches!(read(&path, 1), Err(ReadError::TooLarge(1))));
    std::fs::write(&path, b"\xe9").unwrap();
    assert!(matches!(read_text(&path, 9), Err(ReadError::NotText)));
}

/// The process reads what its shell opened for it, and no other pipe.
#[test]
fn an_input_may_be_a_pipe_of_the_shell() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    let (read_end, mut write_end) = io::pipe().unwrap();
    write_end.write_all(b"from a pipe").unwrap();
    drop(write_end);
    let path = format!("/dev/fd/{}", read_end.as_raw_fd());
    assert_eq!(read_input(Path::new(&path), 99).unwrap(), "from a pipe");
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(
        read_input(&pipe, 99),
        Err(ReadError::NotAFile("a pipe"))
    ));
}

#[test]
fn a_stamp_tells_files_apart_that_are_as_long_and_as_old() {
    let directory = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| directory.path().join(name));
    let at = std::time::SystemTime::UNIX_EPOCH - Duration::from_secs(7);
    for path in [&old, &new] {
        std::fs::write(path, "text").unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(at).unwrap();
    }
    let before = stamp(&old).unwrap();
    assert_eq!(stamp(&old).unwrap(), before);
    std::fs::rename(&new, &old).unwrap();
    assert_ne!(stamp(&old).unwrap(), before);
}
