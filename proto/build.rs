//! Compiles `proto/` into `OUT_DIR`: Rust types, and the descriptor set that reflection serves.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files([
            "envoy/service/auth/v3/external_auth.proto",
            "envoy/service/ext_proc/v3/external_processor.proto",
            "grpc/health/v1/health.proto",
        ])?;
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo hands build scripts their paths this way"
    )]
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".envoy")
        .include_file("protos.rs")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
