//! stub
pub(super) fn run(_of: super::SchemaOf) -> Result<std::process::ExitCode, super::Stop> {
    Err(super::Stop::Failed(String::new()))
}
