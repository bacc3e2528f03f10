//! The lean no-op: the same on one thread, with a faster allocator.
#![expect(clippy::print_stdout, reason = "it is a command line program")]

mod answer;

use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use tonic::transport::Server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Some(Ok(address)) = std::env::args().nth(1).map(|argument| argument.parse()) else {
        // `cargo bench` runs every bench.
        println!("noop_lean ADDRESS:PORT; run by tests/bench/compare");
        return Ok(());
    };
    let service = AuthorizationServer::new(answer::Noop::new(std::env::args().skip(2)));
    Server::builder()
        .add_service(service)
        .serve(address)
        .await?;
    Ok(())
}
