//! Compiles the contract. protox is a protobuf compiler in Rust: nobody who builds this needs `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const CONTRACT: &str = "proto/offhook/tapi/v1/tapi.proto";
    println!("cargo::rerun-if-changed={CONTRACT}");
    let descriptors = protox::compile([CONTRACT], ["proto"])?;
    // Opaque buffers go from the socket to the MSP without being copied.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
