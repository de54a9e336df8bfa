//! Random buffers of 0 to 64 KiB through the broker, both ways: an external program finds the same SHA-256 at both ends.

mod support;

use std::path::Path;
use std::process::Command;

use offhook_spi::{AppReply, AppRequest, HCall, HdCall, Opaque, Privilege};
use proptest::prelude::*;
use support::{Client, immediate};

/// The sums of files, by sha256sum.
fn sums(files: &[std::path::PathBuf]) -> Vec<String> {
    let output = Command::new("sha256sum").args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Writes buffers into files and has them summed.
fn summed<'a>(dir: &Path, end: &str, buffers: impl IntoIterator<Item = &'a Opaque>) -> Vec<String> {
    let files: Vec<_> = buffers
        .into_iter()
        .enumerate()
        .map(|(n, data)| {
            let path = dir.join(format!("{end}-{n:03}"));
            std::fs::write(&path, data.as_bytes()).unwrap();
            path
        })
        .collect();
    if files.is_empty() { Vec::new() } else { sums(&files) }
}

/// Which of two calls, which way, and what.
fn words() -> impl Strategy<Value = Vec<(bool, bool, Vec<u8>)>> {
    let octets = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..2_000),
        prop::collection::vec(any::<u8>(), Opaque::MAX - 3..=Opaque::MAX),
    ];
    prop::collection::vec((any::<bool>(), any::<bool>(), octets), 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_buffer_has_the_same_sum_at_both_ends_and_its_place_in_the_order(words in words()) {
        if Command::new("sha256sum").arg("--version").output().is_err() {
            eprintln!("no sha256sum here: not tried");
            return Ok(());
        }
        let dir = std::env::temp_dir().join(format!("offhook-sha-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (broker, switch) = immediate();
        let client = Client::new(&broker, "app");
        let line = client.open_with_msp(Privilege::Owner);
        let hds: [HdCall; 2] = ["a", "b"].map(|caller| switch.ring(0, caller).unwrap());
        let calls: [HCall; 2] = [client.new_calls()[0].0, client.new_calls()[1].0];
        for hd in hds {
            // The TSP speaks first.
            switch.send(0, Some(hd), None, Opaque::new(Vec::new()).unwrap()).unwrap();
        }
        client.clear();
        let (mut down, mut up): ([Vec<Opaque>; 2], [Vec<Opaque>; 2]) = Default::default();
        for (to_msp, second, octets) in words {
            let (n, data) = (usize::from(second), Opaque::new(octets).unwrap());
            if to_msp {
                switch.send(0, Some(hds[n]), None, data.clone()).unwrap();
                down[n].push(data);
            } else {
                let sent = client.ask(AppRequest::MspData { line, call: Some(calls[n]), data: data.clone() });
                prop_assert_eq!(sent, Ok(AppReply::Done));
                up[n].push(data);
            }
        }
        let heard = client.buffers();
        let received = switch.received();
        for n in 0..2 {
            let at_msp = heard.iter().filter(|(call, _)| *call == Some(calls[n])).map(|(_, data)| data);
            let at_tsp = received.iter().filter(|word| word.call == Some(hds[n])).map(|word| &word.data);
            prop_assert_eq!(summed(&dir, "sent", &down[n]), summed(&dir, "heard", at_msp));
            prop_assert_eq!(summed(&dir, "sent", &up[n]), summed(&dir, "heard", at_tsp));
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
