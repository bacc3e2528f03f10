//! stub
pub(super) fn run(
    _c: &std::path::Path,
    _s: Option<&std::path::Path>,
    _f: super::MatrixFormat,
) -> Result<std::process::ExitCode, super::Stop> {
    Err(super::Stop::Failed(String::new()))
}
