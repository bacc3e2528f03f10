//! The stock no-op: an `ext_authz` server as the first page of tonic's guide would have it.
#![expect(clippy::print_stdout, reason = "it is a command line program")]

mod answer;

use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use tonic::transport::Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(Ok(address)) = std::env::args().nth(1).map(|argument| argument.parse()) else {
        // `cargo bench` runs every bench.
        println!("noop_stock ADDRESS:PORT; run by tests/bench/compare");
        return Ok(());
    };
    let service = AuthorizationServer::new(answer::Noop::new(std::env::args().skip(2)));
    Server::builder()
        .add_service(service)
        .serve(address)
        .await?;
    Ok(())
}
