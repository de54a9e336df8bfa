//! Calls over modems on pseudo-terminals, as a broker sees them.

mod support;

use std::time::Duration;

use offhook_modem::{PortConfig, Profile, Rejecting};
use offhook_spi::*;
use support::{Desk, Modem, wait};

fn voice() -> (Modem, Desk) {
    let modem = Modem::plug("voice");
    let desk = Desk::open(modem.config());
    (modem, desk)
}

fn gsm(kind: &str) -> (Modem, Desk) {
    let modem = Modem::plug(kind);
    let desk = Desk::open(PortConfig { profile: Profile::Gsm, ..modem.config() });
    (modem, desk)
}

/// The call's provider id.
fn id(info: &CallInfo, key: &str) -> Option<String> {
    info.provider_ids.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
}

#[test]
fn a_call_is_placed_rings_is_answered_and_dropped() {
    let (modem, desk) = voice();
    let call = desk.dial("555-1234").unwrap();
    assert_eq!(desk.until("Connected"), ["1 done", "Dialing", "Ringback", "Connected(Active)"]);
    assert_eq!(desk.info(call).called.address, "555-1234");
    assert_ne!(desk.info(call).call_id, 0);
    desk.digits(call, "1#A!");
    assert_eq!(desk.until("2 "), ["2 done"]);
    desk.drop_call(call);
    assert_eq!(desk.until("Idle"), ["3 done", "Idle"]);
    let heard = modem.heard();
    let after: Vec<_> = heard.iter().skip_while(|command| *command != "ATDT5551234").collect();
    assert_eq!(after[..6], ["ATDT5551234", "AT+VTS=1", "AT+VTS=#", "AT+VTS=A", "AT+VTS=!", "ATH"]);
    desk.provider.line_close_call(call).unwrap();
    // Voice mode was lost with ATH and is back for the next call.
    let call = desk.dial("5551234").unwrap();
    desk.until("Connected(Active)");
    desk.end(call);
    desk.close();
}

#[test]
fn the_modems_words_end_calls_as_the_table_says() {
    let (_modem, desk) = voice();
    let table = [
        ("100", "Busy"),
        ("101", "NoAnswer"),
        ("102", "NoDialtone"),
        ("103", "NoDialtone"),
        ("104", "NoAnswer"),
        ("105", "NoAnswer"),
        ("106", "Blocked"),
        ("107", "TempFailure"),
        ("108", "Unavail"),
        ("109", "Busy"),
    ];
    for (number, mode) in table {
        let call = desk.dial(number).unwrap();
        let told = desk.until("Disconnected");
        assert_eq!(told.last().unwrap(), &format!("Disconnected({mode})"), "{number}: {told:?}");
        desk.end(call);
    }
    assert_eq!(desk.told(), Vec::<String>::new());
}

#[test]
fn a_modem_that_answers_ok_when_it_has_dialled_is_connected() {
    let (_modem, desk) = voice();
    let call = desk.dial("111").unwrap();
    assert_eq!(desk.until("Connected"), ["1 done", "Dialing", "Connected(Active)"]);
    desk.end(call);
}

#[test]
fn a_call_dropped_while_it_rings_there_is_broken_off_first() {
    let (modem, desk) = voice();
    let call = desk.dial("110").unwrap();
    desk.until("Ringback");
    desk.drop_call(call);
    assert_eq!(desk.until("Idle"), ["2 done", "Idle"]);
    modem.hears("ATH", 1);
    desk.provider.line_close_call(call).unwrap();
    let call = desk.dial("5551234").unwrap();
    desk.until("Connected");
    desk.end(call);
}

#[test]
fn a_far_end_that_does_not_answer_in_time_is_given_up() {
    let modem = Modem::plug("voice");
    let desk = Desk::open(PortConfig { dial_timeout_ms: 1_000, ..modem.config() });
    let call = desk.dial("110").unwrap();
    assert_eq!(desk.until("Disconnected").last().unwrap(), "Disconnected(NoAnswer)");
    desk.end(call);
}

#[test]
fn a_call_arrives_with_its_caller_and_is_answered() {
    let (modem, desk) = voice();
    modem.say("RING");
    desk.until("Offering");
    let call = desk.incoming();
    assert_eq!(desk.info(call).caller, Party::default());
    modem.say("DATE = 0321");
    modem.say("TIME = 1405");
    modem.say("NMBR = 5550100");
    modem.say("NAME = SMITH JOHN");
    desk.until("info CallerId");
    desk.until("info CallerId");
    let name = Some("SMITH JOHN".to_owned());
    assert_eq!(desk.info(call).caller, Party { address: "5550100".to_owned(), name });
    modem.say("RING");
    desk.provider.line_accept(desk.request(), call).unwrap();
    assert_eq!(desk.until("Accepted"), ["1 done", "Accepted"]);
    desk.answer(call);
    assert_eq!(desk.until("Connected"), ["2 done", "Connected(Active)"]);
    modem.octets(b"\x10/\x105\x105\x10~\x10#");
    assert_eq!(desk.until("digit #"), ["digit 5 held", "digit #"]);
    // The far end hangs up: the exchange sends busy tone.
    modem.octets(b"\x10b");
    assert_eq!(desk.until("Disconnected"), ["Disconnected(Normal)"]);
    desk.drop_call(call);
    assert_eq!(desk.until("Idle"), ["3 done", "Idle"]);
}

#[test]
fn a_call_waits_for_its_callers_number_if_it_is_told_to() {
    let modem = Modem::plug("voice");
    let desk =
        Desk::open(PortConfig { caller_id_wait_ms: 10_000, ring_timeout_ms: 12_000, ..modem.config() });
    modem.say("RING");
    modem.say("MESG = 80180108303332313134303502073033303132333407 03414E4E");
    assert_eq!(desk.until("Offering"), ["new call", "Offering"]);
    let caller = desk.info(desk.incoming()).caller;
    assert_eq!(caller, Party { address: "0301234".to_owned(), name: Some("ANN".to_owned()) });
}

#[test]
fn a_number_that_comes_before_the_first_ring_belongs_to_it() {
    let (modem, desk) = voice();
    modem.say("NMBR=P");
    modem.octets(b"\x10R");
    desk.until("Offering");
    let info = desk.info(desk.incoming());
    assert_eq!((info.caller.address.as_str(), id(&info, "callerId").as_deref()), ("", Some("withheld")));
}

#[test]
fn a_caller_who_gives_up_has_cancelled() {
    let modem = Modem::plug("voice");
    let desk = Desk::open(PortConfig { ring_timeout_ms: 1_000, ..modem.config() });
    modem.say("RING");
    desk.until("Offering");
    let call = desk.incoming();
    assert_eq!(desk.until("Disconnected"), ["Disconnected(Cancelled)"]);
    desk.end(call);
    // Nothing was picked up, so nothing is hung up.
    assert!(!modem.heard().iter().any(|command| command == "ATH"), "{:?}", modem.heard());
    modem.say("RING");
    desk.until("Offering");
}

#[test]
fn a_rejected_call_rings_on_unheard_and_the_next_is_announced() {
    let modem = Modem::plug("voice");
    let desk = Desk::open(PortConfig { ring_timeout_ms: 3_000, ..modem.config() });
    modem.say("RING");
    desk.until("Offering");
    let first = desk.incoming();
    desk.end(first);
    for _ in 0..3 {
        modem.say("RING");
        assert_eq!(desk.dial("5551234").map(drop), Ok(()));
        let told = desk.until("");
        assert!(told[0].contains("the line rings"), "{told:?}");
    }
    wait("the next call", || {
        modem.say("RING");
        std::thread::sleep(Duration::from_millis(3_500));
        desk.told().contains(&"new call".to_owned())
    });
    assert_ne!(desk.incoming(), first);
    assert!(!modem.heard().iter().any(|command| command == "ATH"));
}

#[test]
fn a_rejected_call_is_picked_up_and_hung_up_if_that_is_wanted() {
    let modem = Modem::plug("voice");
    let desk = Desk::open(PortConfig { reject: Rejecting::HangUp, ..modem.config() });
    modem.say("RING");
    desk.until("Offering");
    desk.drop_call(desk.incoming());
    assert_eq!(desk.until("Idle"), ["1 done", "Idle"]);
    let heard = modem.heard();
    let at = heard.iter().position(|command| command == "ATH1").unwrap();
    assert_eq!(heard[at + 1], "ATH");
}

#[test]
fn a_call_that_the_broker_has_no_room_for_is_announced_again() {
    let (modem, desk) = voice();
    desk.refuse(2);
    for _ in 0..2 {
        modem.say("RING");
        assert_eq!(desk.until("refused"), ["refused"]);
    }
    modem.say("RING");
    assert_eq!(desk.until("Offering"), ["new call", "Offering"]);
}

#[test]
fn a_call_that_nobody_wants_is_not_announced() {
    let (modem, desk) = voice();
    desk.provider.line_set_default_media_detection(desk.line, MediaTypes::NONE).unwrap();
    modem.say("RING");
    modem.say("RING");
    assert_eq!(desk.runtime.block_on(desk.provider.command(0, "AT+FCLASS=?")).unwrap(), ["0,1,8"]);
    assert_eq!(desk.told(), Vec::<String>::new());
}

#[test]
fn a_second_call_is_refused_while_there_is_one() {
    let (_modem, desk) = voice();
    let call = desk.dial("5551234").unwrap();
    assert!(matches!(desk.dial("5551234"), Err(LineError::ResourceUnavail(_))));
    desk.until("Connected");
    assert!(matches!(desk.dial("5551234"), Err(LineError::ResourceUnavail(_))));
    desk.drop_call(call);
    desk.until("Idle");
    // An idle call may be looked at; it is not in the way.
    desk.dial("100").unwrap();
    assert_eq!(desk.until("Disconnected").last().unwrap(), "Disconnected(Busy)");
    assert_eq!(desk.info(call).called.address, "5551234");
}

#[test]
fn a_modem_pulled_out_ends_its_call_and_is_taken_up_again() {
    let modem = Modem::plug("voice");
    let desk = Desk::open(PortConfig { reopen_max_ms: 400, ..modem.config() });
    let call = desk.dial("5551234").unwrap();
    desk.until("Connected");
    desk.digits(call, "1234567890");
    modem.unplug();
    let told = desk.until("Disconnected");
    assert!(told.iter().any(|what| what.starts_with("2 failed")), "{told:?}");
    assert!(told.iter().any(|what| what.starts_with("out of service: the port has gone")), "{told:?}");
    assert_eq!(told.last().unwrap(), "Disconnected(TempFailure)");
    desk.drop_call(call);
    assert_eq!(desk.until("Idle"), ["3 done", "Idle"]);
    let again = desk.dial("5551234").unwrap();
    assert!(desk.until("4 ")[0].contains("out of service"));
    assert_eq!(desk.provider.line_call_info(again), Err(LineError::InvalCallHandle));
    modem.replug();
    assert_eq!(desk.until("in service"), ["in service: U-1496E"]);
    desk.dial("5551234").unwrap();
    desk.until("Connected");
}

#[test]
fn a_modem_that_falls_silent_is_out_of_service_until_it_speaks() {
    let modem = Modem::plug("voice");
    let config =
        PortConfig { check_every_ms: 1_000, command_timeout_ms: 200, reopen_max_ms: 400, ..modem.config() };
    let desk = Desk::open(config);
    modem.mute(true);
    let told = desk.until("out of service");
    assert_eq!(told, ["out of service: the modem does not answer any more"]);
    modem.mute(false);
    desk.until("in service");
}

#[test]
fn what_is_no_modem_is_said_to_be_none() {
    let modem = Modem::plug("voice");
    modem.mute(true);
    let desk = Desk::try_open(modem.config()).unwrap();
    let call = desk.dial("5551234").unwrap();
    let told = desk.until("1 failed");
    assert_eq!(told[0], "out of service: nothing there answers like a modem");
    assert_eq!(desk.provider.line_call_info(call), Err(LineError::InvalCallHandle));
}

#[test]
fn a_modem_without_voice_mode_is_told_apart() {
    let modem = Modem::plug("data");
    let desk = Desk::try_open(modem.config()).unwrap();
    let told = desk.until("out of service");
    assert_eq!(told, ["out of service: the modem refuses AT+FCLASS=8: ERROR; it has no voice mode"]);
}

#[test]
fn a_data_modem_dials_for_the_telephone_beside_it() {
    let modem = Modem::plug("data");
    let desk = Desk::open(PortConfig { profile: Profile::Data, ..modem.config() });
    let call = desk.dial("5551234").unwrap();
    assert_eq!(desk.until("Connected"), ["1 done", "Dialing", "Connected(Active)"]);
    desk.digits(call, "42");
    assert_eq!(desk.until("2 "), ["2 done"]);
    desk.end(call);
    modem.say("RING");
    desk.until("Offering");
    let call = desk.incoming();
    desk.answer(call);
    assert_eq!(desk.until("Connected"), ["4 done", "Connected(Active)"]);
    desk.end(call);
    let heard = modem.heard();
    for command in ["ATDT5551234;", "ATDT4;", "ATDT2;", "ATH1", "ATH"] {
        assert!(heard.iter().any(|known| known == command), "{command} not in {heard:?}");
    }
}

#[test]
fn a_stick_that_reports_its_calls_is_followed() {
    let (modem, desk) = gsm("huawei");
    let call = desk.dial("+49 170 0000000").unwrap();
    let told = desk.until("Connected");
    assert_eq!(told, ["1 done", "Dialing", "Proceeding", "Ringback", "Connected(Active)"]);
    modem.say("+CCWA: \"0301111\",129,1");
    desk.until("info Other");
    assert_eq!(id(&desk.info(call), "callWaiting").as_deref(), Some("0301111"));
    modem.say("^DDTMF: 7");
    desk.until("digit 7");
    modem.say("^CEND:1,8,29,16");
    modem.say("NO CARRIER");
    assert_eq!(desk.until("Disconnected"), ["Disconnected(Normal)"]);
    desk.end(call);
    for (number, mode) in [("0301001", "Busy"), ("0301002", "Unreachable"), ("0301003", "TempFailure")] {
        let call = desk.dial(number).unwrap();
        assert_eq!(desk.until("Disconnected").last().unwrap(), &format!("Disconnected({mode})"), "{number}");
        desk.end(call);
    }
    let withheld = CallParams { block_id: true, ..CallParams::default() };
    let call = desk.dial_with("0301004", withheld).unwrap();
    desk.until("Connected");
    desk.end(call);
    // The answer to a question is not a caller.
    let asked = desk.runtime.block_on(desk.provider.command(0, "AT+CLIP?")).unwrap();
    assert_eq!(asked, ["+CLIP: 1,1"]);
    modem.say("RING");
    desk.until("Offering");
    assert_eq!(desk.info(desk.incoming()).caller, Party::default());
    desk.end(desk.incoming());
}

#[test]
fn a_module_that_has_to_be_asked_is_asked() {
    let (modem, desk) = gsm("simcom");
    let call = desk.dial("0301234").unwrap();
    let told = desk.until("Connected");
    assert_eq!(told, ["1 done", "Dialing", "Proceeding", "Ringback", "Connected(Active)"]);
    desk.drop_call(call);
    desk.until("Idle");
    modem.hears("AT+CHUP", 1);
    // It does not have that.
    modem.hears("ATH", 1);
    desk.provider.line_close_call(call).unwrap();
    for (number, mode) in [("0301001", "Busy"), ("0301002", "NoAnswer")] {
        let call = desk.dial(number).unwrap();
        assert_eq!(desk.until("Disconnected").last().unwrap(), &format!("Disconnected({mode})"), "{number}");
        desk.end(call);
    }
    modem.say("+CRING: VOICE");
    modem.say("+CLIP: \"+491700000000\",145,\"\",0,\"\",0");
    desk.until("info CallerId");
    let call = desk.incoming();
    assert_eq!(desk.info(call).caller.address, "+491700000000");
    modem.say("NO CARRIER");
    assert_eq!(desk.until("Disconnected"), ["Disconnected(Cancelled)"]);
    desk.end(call);
    modem.say("+CRING: VOICE");
    desk.until("Offering");
    // A cellular network is told no.
    desk.drop_call(desk.incoming());
    desk.until("Idle");
    modem.hears("AT+CHUP", 4);
}

#[test]
fn noise_and_words_in_pieces_are_borne() {
    let (modem, desk) = voice();
    modem.octets(b"\0\xff\xfe\x7f\x1b[31m");
    modem.octets(&[b'x'; 20_000]);
    modem.octets(b"\r\n\r\n\rRI");
    std::thread::sleep(Duration::from_millis(30));
    modem.octets(b"NG\r");
    modem.octets(b"\nNMBR=12");
    std::thread::sleep(Duration::from_millis(30));
    modem.octets(b"34\n");
    desk.until("Offering");
    let call = desk.incoming();
    wait("the number", || desk.info(call).caller.address == "1234");
}

#[test]
fn a_modem_that_forgot_its_settings_is_told_them_again() {
    let modem = Modem::plug("voice");
    let desk = Desk::open(PortConfig { check_every_ms: 1_000, ..modem.config() });
    modem.forget();
    modem.hears("ATQ0V1E0", 2);
    desk.dial("5551234").unwrap();
    desk.until("Connected");
}

#[test]
fn a_line_opened_while_the_last_one_hangs_up_gets_the_port_next() {
    let (modem, desk) = voice();
    desk.dial("5551234").unwrap();
    desk.until("Connected");
    desk.provider.line_close(desk.line).unwrap();
    let line = desk.provider.line_open(0, HtLine(2), ApiVersion::V3_1).unwrap();
    assert!(desk.provider.line_open(0, HtLine(3), ApiVersion::V3_1).is_err());
    desk.until("in service");
    modem.hears("ATH", 1);
    desk.provider.line_close(line).unwrap();
    desk.close();
}

#[test]
fn closing_a_call_completes_what_it_waits_for() {
    let (modem, desk) = voice();
    let call = desk.dial("5551234").unwrap();
    desk.until("Connected");
    modem.mute(true);
    desk.digits(call, "1");
    desk.provider.line_close_call(call).unwrap();
    assert_eq!(desk.until("2 "), ["2 failed: operation failed: the call was closed"]);
    assert_eq!(desk.provider.line_call_info(call), Err(LineError::InvalCallHandle));
    modem.mute(false);
    desk.close();
    assert_eq!(desk.told(), Vec::<String>::new());
}

#[test]
fn the_extension_passes_commands_that_ask() {
    let (modem, desk) = voice();
    let says = |text: &str| {
        let data = Opaque::new(text.as_bytes().to_vec()).unwrap();
        desk.provider.line_dev_specific(desk.request(), desk.line, None, &data)
    };
    assert_eq!(says("ATI3"), Err(LineError::IncompatibleExtVersion), "no version was selected");
    desk.provider.line_extension(0).unwrap();
    let any = ExtensionVersion(u32::MAX);
    let version = desk.provider.line_negotiate_ext_version(0, ExtensionVersion(0), any).unwrap();
    desk.provider.line_select_ext_version(desk.line, version).unwrap();
    says("ATI3").unwrap();
    assert_eq!(desk.until("2 "), [r#"2 answers "V 6.01 M""#]);
    says("AT+CSQ").unwrap();
    assert_eq!(desk.until("3 "), ["3 failed: operation failed: the modem refuses AT+CSQ: ERROR"]);
    for acting in
        ["ATD5551234", "AT%C0DT0900123", "AT+C HUP", "AT+CKPD=\"0900123S\"", "AT+CMGS=23", "AT#CLS=0"]
    {
        assert!(matches!(says(acting), Err(LineError::InvalParam(_))), "{acting}");
        let asked = desk.runtime.block_on(desk.provider.command(0, acting));
        assert!(matches!(asked, Err(LineError::InvalParam(_))), "{acting}");
        assert!(!modem.heard().iter().any(|command| command == acting), "{acting}");
    }
    assert_eq!(desk.runtime.block_on(desk.provider.command(0, "ATI3")).unwrap(), ["V 6.01 M"]);
}

#[test]
fn there_is_no_msp() {
    let (_modem, desk) = voice();
    let caps = desk.provider.line_dev_caps(0).unwrap();
    assert!(!caps.has_msp);
    assert_eq!((caps.max_active_calls, caps.media), (1, MediaTypes::AUDIO));
    assert!(caps.line_name.ends_with("(U-1496E)"), "{}", caps.line_name);
    let created = desk.provider.line_create_msp_instance(desk.line, 0, HtMspLine(1));
    assert_eq!(created, Err(LineError::OperationUnavail));
    assert_eq!(desk.provider.line_dev_caps(1), Err(LineError::BadDeviceId));
}

#[test]
fn a_port_that_cannot_be_had_is_explained() {
    let why = |port: &str| Desk::try_open(PortConfig::new(port)).map(drop).unwrap_err().to_string();
    let missing = why("/dev/ttyUSB-of-nobody");
    assert!(
        missing.ends_with("/dev/ttyUSB-of-nobody: there is no such port; is the modem plugged in?"),
        "{missing}"
    );
    let file = std::env::temp_dir().join(format!("offhook-modem-{}.txt", std::process::id()));
    std::fs::write(&file, "no modem").unwrap();
    let not_serial = why(file.to_str().unwrap());
    std::fs::remove_file(&file).unwrap();
    assert!(not_serial.contains("not a serial port"), "{not_serial}");
    assert!(why("/dev/null").contains("not a serial port"), "{}", why("/dev/null"));
    let (modem, desk) = voice();
    let busy = why(modem.port.to_str().unwrap());
    assert!(busy.ends_with("in use by another program"), "{busy}");
    desk.close();
}
