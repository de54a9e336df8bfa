//! Interface versions: negotiated a device and a client, and what an old client is told.

mod support;

use offhook_broker::scripted::{Drive, ScriptedConfig, Step};
use offhook_spi::{
    ApiVersion, AppReply, AppRequest, DeviceId, DisconnectMode as M, LineCallState as S, LineError,
    MediaTypes, Privilege,
};
use support::{CONNECTED, Client, house, immediate};

const V1_3: ApiVersion = ApiVersion(0x0001_0003);
const V1_4: ApiVersion = ApiVersion(0x0001_0004);
const V2_0: ApiVersion = ApiVersion(0x0002_0000);
const V2_2: ApiVersion = ApiVersion(0x0002_0002);
const FUTURE: ApiVersion = ApiVersion(0x0009_0000);

fn negotiate(client: &Client, lowest: ApiVersion, highest: ApiVersion) -> Result<ApiVersion, LineError> {
    match client.ask(AppRequest::NegotiateApiVersion { device: DeviceId(0), lowest, highest })? {
        AppReply::ApiVersion(version) => Ok(version),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_highest_common_version_is_negotiated_or_none() {
    let (broker, _switch) = immediate();
    let client = Client::new(&broker, "app");
    assert_eq!(negotiate(&client, V1_3, FUTURE), Ok(ApiVersion::V3_1));
    assert_eq!(negotiate(&client, V1_3, V2_0), Ok(V2_0));
    assert_eq!(negotiate(&client, V1_3, V1_3), Ok(V1_3));
    let none = Err(LineError::IncompatibleApiVersion);
    assert_eq!(negotiate(&client, FUTURE, FUTURE), none);
    assert_eq!(negotiate(&client, ApiVersion(1), ApiVersion(0x0001_0002)), none);
    assert_eq!(negotiate(&client, V2_0, V1_4), none, "the wrong way round");
    let elsewhere = AppRequest::NegotiateApiVersion { device: DeviceId(9), lowest: V1_3, highest: V2_0 };
    assert_eq!(client.ask(elsewhere), Err(LineError::BadDeviceId));
    let (broker, _switch) = house(ScriptedConfig { versions: (V2_0, V2_2), ..ScriptedConfig::default() });
    let client = Client::new(&broker, "app");
    assert_eq!(negotiate(&client, V1_4, FUTURE), Ok(V2_2), "the device is older");
}

#[test]
fn each_client_is_told_the_words_of_its_own_version() {
    let modes = [
        // The mode, as told at 1.3, at 1.4, at 2.0 and without negotiation.
        (M::Busy, [M::Busy; 4]),
        (M::NoDialtone, [M::Unknown, M::NoDialtone, M::NoDialtone, M::NoDialtone]),
        (M::NumberChanged, [M::Unknown, M::Unknown, M::NumberChanged, M::NumberChanged]),
        (M::OutOfOrder, [M::Unknown, M::Unknown, M::OutOfOrder, M::OutOfOrder]),
        (M::TempFailure, [M::Unknown, M::Unknown, M::TempFailure, M::TempFailure]),
        (M::QosUnavail, [M::Unknown, M::Unknown, M::QosUnavail, M::QosUnavail]),
        (M::Blocked, [M::Unknown, M::Unknown, M::Blocked, M::Blocked]),
        (M::DoNotDisturb, [M::Unknown, M::Unknown, M::DoNotDisturb, M::DoNotDisturb]),
        (M::Cancelled, [M::Normal, M::Normal, M::Cancelled, M::Cancelled]),
    ];
    let (broker, switch) = immediate();
    let clients: Vec<_> = [Some(V1_3), Some(V1_4), Some(V2_0), None]
        .into_iter()
        .map(|version| {
            let client = Client::new(&broker, "app");
            if let Some(version) = version {
                negotiate(&client, version, version).unwrap();
            }
            client.open(Privilege::Monitor, MediaTypes::AUDIO);
            client
        })
        .collect();
    for (mode, told) in modes {
        let hd = switch.ring(0, "alice").unwrap();
        switch.then(hd, [Step::State(CONNECTED)]);
        switch.hang_up(hd, mode);
        for (client, told) in clients.iter().zip(told) {
            assert_eq!(client.states().last(), Some(&S::Disconnected(told)), "{mode:?}");
        }
    }
    assert_eq!(broker.diagnostics().illegal_states, 0);
}

#[test]
fn a_line_keeps_the_version_that_it_was_opened_with() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    negotiate(&client, V1_4, V1_4).unwrap();
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    negotiate(&client, ApiVersion::V3_1, ApiVersion::V3_1).unwrap();
    let hd = switch.ring(0, "alice").unwrap();
    switch.hang_up(hd, M::Cancelled);
    assert_eq!(client.states().last(), Some(&S::Disconnected(M::Normal)));
}

#[test]
fn an_msp_needs_version_3_on_both_sides() {
    let (broker, _switch) = house(ScriptedConfig { drive: Drive::Immediate, ..ScriptedConfig::default() });
    let client = Client::new(&broker, "app");
    negotiate(&client, V2_2, V2_2).unwrap();
    let old = client.open(Privilege::Owner, MediaTypes::AUDIO);
    let unavailable = Err(LineError::OperationUnavail);
    assert_eq!(client.ask(AppRequest::CreateMspInstance { line: old }), unavailable);
    negotiate(&client, ApiVersion::V3_0, ApiVersion::V3_0).unwrap();
    let new = client.open(Privilege::Owner, MediaTypes::AUDIO);
    assert_eq!(client.ask(AppRequest::CreateMspInstance { line: new }), Ok(AppReply::Done));
    assert_eq!(client.ask(AppRequest::CreateMspInstance { line: old }), unavailable);
}
