//! The arrows of ARCHITECTURE.md, as cargo sees them: what a crate may not reach, it does not reach.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::Command;

/// Every crate that `package` reaches by normal dependencies.
fn reaches(package: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "-p",
            package,
            "-e",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let names = String::from_utf8(output.stdout)?;
    Ok(names
        .lines()
        .filter_map(|l| l.split(' ').next())
        .filter(|n| *n != package)
        .map(str::to_owned)
        .collect())
}

fn never(package: &str, forbidden: &[&str]) -> Result<(), Box<dyn Error>> {
    let reached = reaches(package)?;
    let wrong: Vec<_> = forbidden.iter().filter(|f| reached.contains(**f)).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{package} reaches {wrong:?}").into()) }
}

const SIGNALING: [&str; 5] =
    ["offhook-wire", "offhook-h323", "offhook-tsp", "offhook-gatekeeper", "offhook-modem"];
const MEDIA: [&str; 7] = [
    "offhook-rtp",
    "offhook-engine",
    "offhook-net",
    "offhook-device",
    "offhook-msp",
    "offhook-jitter",
    "offhook-codecs",
];

#[test]
fn the_bridge_cannot_read_the_buffers_it_carries() -> Result<(), Box<dyn Error>> {
    for bridge in [
        "offhook-spi",
        "offhook-scripted",
        "offhook-conformance",
        "offhook-broker",
        "offhook-tapi",
        "offhook-rpc",
    ] {
        never(bridge, &["offhook-pair", "offhook-h323-ext"])?;
        never(bridge, &SIGNALING)?;
        never(bridge, &MEDIA)?;
    }
    Ok(())
}

#[test]
fn the_words_of_an_extension_are_linked_without_who_understands_them() -> Result<(), Box<dyn Error>> {
    never("offhook-h323-ext", &SIGNALING)?;
    never("offhook-h323-ext", &MEDIA)?;
    never("offhook-h323-ext", &["offhook-spi", "offhook-pair", "offhook-broker", "offhook-tapi"])
}

#[test]
fn signalling_and_media_never_name_each_other() -> Result<(), Box<dyn Error>> {
    for package in SIGNALING {
        never(package, &MEDIA)?;
    }
    for package in MEDIA {
        never(package, &SIGNALING)?;
    }
    Ok(())
}

#[test]
fn protocol_and_sound_code_builds_without_runtime_or_sound_card() -> Result<(), Box<dyn Error>> {
    for package in
        ["offhook-wire", "offhook-h323", "offhook-codecs", "offhook-jitter", "offhook-rtp", "offhook-engine"]
    {
        never(package, &["tokio", "mio", "socket2", "cpal"])?;
    }
    Ok(())
}

#[test]
fn the_rpc_knows_the_spi_alone_and_who_uses_it_links_no_signalling() -> Result<(), Box<dyn Error>> {
    never("offhook-rpc", &["offhook-broker", "offhook-tapi", "offhook-scripted"])?;
    never("offhook-sample-client", &SIGNALING)?;
    never("offhook-sample-client", &["offhook-broker", "offhook-modem", "offhook-scripted", "offhook"])
}

#[test]
fn cards_by_program_are_for_tests_only() -> Result<(), Box<dyn Error>> {
    for package in ["offhook", "offhook-msp", "offhook-device"] {
        never(package, &["offhook-virtual-sound"])?;
    }
    Ok(())
}

#[test]
fn the_modem_provider_stands_alone() -> Result<(), Box<dyn Error>> {
    never("offhook-modem", &["offhook-pair", "offhook-wire", "offhook-h323", "offhook-tsp", "offhook-broker"])
}
