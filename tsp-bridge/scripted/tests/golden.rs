//! The supplementary services, line by line, as tests/golden/*.txt has them from TAPI's page of each verb.

mod board;

use board::{Board, busy_at, to};
use offhook_scripted::Scripted;
use offhook_spi::{
    CompletionMode, DisconnectMode, Forward, ForwardMode, HdCall, LineCallState as S, MediaTypes, ParkMode,
    TransferMode, Tspi,
};

fn hold(board: &Board, call: HdCall) {
    board.on("hold", call, |switch, id, call| switch.line_hold(id, call)).unwrap();
}

fn unhold(board: &Board, call: HdCall) {
    board.on("unhold", call, |switch, id, call| switch.line_unhold(id, call)).unwrap();
}

/// A consultation call from extension `device` about `call`.
fn consult(board: &Board, device: u64, call: HdCall, number: Option<&str>) -> HdCall {
    let ht = board.fresh(device);
    let what = format!("setup transfer {} by {} to {number:?}", board.called(call), board.name(ht));
    let params = number.map(to);
    board.ask(&what, |switch, id| switch.line_setup_transfer(id, call, ht, params.as_ref())).unwrap()
}

fn complete(board: &Board, call: HdCall, consult: HdCall, mode: TransferMode) -> Option<HdCall> {
    let ht = board.fresh(0);
    let what = format!("complete {mode:?} {} with {}", board.called(call), board.called(consult));
    board.ask(&what, |switch, id| switch.line_complete_transfer(id, call, consult, mode, ht)).unwrap()
}

#[test]
fn hold_and_back() {
    let board = Board::new();
    let (placed, offered) = board.talk(0, 1);
    board.clear();
    hold(&board, placed);
    // Both hold each other: who is held first is still held when the other comes back.
    hold(&board, offered);
    unhold(&board, placed);
    unhold(&board, offered);
    board.drops(placed);
    board.compare("hold");
}

#[test]
fn swap() {
    let board = Board::new();
    let (first, _) = board.talk(0, 1);
    hold(&board, first);
    let (second, _) = board.talk(0, 2);
    board.clear();
    let swap = |switch: &Scripted, id| switch.line_swap_hold(id, second, first);
    board.ask("swap 100.2 and 100.1", swap).unwrap();
    board.compare("swap");
}

#[test]
fn transfer_by_consultation() {
    let board = Board::new();
    let (_, offered) = board.talk(1, 0);
    board.clear();
    let consulted = consult(&board, 0, offered, Some("102"));
    board.answers(board.last(2));
    complete(&board, offered, consulted, TransferMode::Transfer);
    board.compare("transfer_consultation");
    // Both far ends are in one hub, and the call goes on without who transferred it.
    let (one, two) = (board.last(2), board.switch.calls()[0]);
    assert_eq!(board.info(one).call_id, board.info(two).call_id);
    board.drops(one);
    assert_eq!(board.state(two), Some(S::Disconnected(DisconnectMode::Normal)));
}

#[test]
fn transfer_while_the_consulted_party_rings() {
    let board = Board::new();
    let offered = board.switch.ring(0, "5551234").unwrap();
    board.answers(offered);
    board.clear();
    let consulted = consult(&board, 0, offered, None);
    let dial = |switch: &Scripted, id, call| switch.line_dial(id, call, "10", false);
    board.on("dial 10", consulted, dial).unwrap();
    let dial = |switch: &Scripted, id, call| switch.line_dial(id, call, "2", true);
    board.on("dial 2, complete,", consulted, dial).unwrap();
    complete(&board, offered, consulted, TransferMode::Transfer);
    board.answers(board.last(2));
    board.compare("transfer_at_ringing");
}

#[test]
fn blind_transfer() {
    let board = Board::new();
    let (_, offered) = board.talk(1, 0);
    board.clear();
    let go = |switch: &Scripted, id, call| switch.line_blind_transfer(id, call, "102");
    board.on("blind transfer to 102 of", offered, go).unwrap();
    board.answers(board.last(2));
    board.compare("transfer_blind");
}

#[test]
fn transfer_that_becomes_a_conference() {
    let board = Board::new();
    let (_, offered) = board.talk(1, 0);
    board.clear();
    let consulted = consult(&board, 0, offered, Some("102"));
    board.answers(board.last(2));
    complete(&board, offered, consulted, TransferMode::Conference).unwrap();
    board.compare("transfer_to_conference");
}

#[test]
fn conference_set_up_grown_and_shrunk() {
    let board = Board::new();
    let (placed, _) = board.talk(0, 1);
    board.clear();
    let (conference, consulted) = (board.fresh(0), board.fresh(0));
    let made = board.ask("setup conference 100.2 with 100.1, consult by 100.3", |switch, id| {
        switch.line_setup_conference(id, board.lines[0], Some(placed), conference, consulted, None)
    });
    let made = made.unwrap();
    let dial = |switch: &Scripted, id, call| switch.line_dial(id, call, "102", true);
    board.on("dial 102", made.consult, dial).unwrap();
    board.answers(board.last(2));
    let add = |switch: &Scripted, id| switch.line_add_to_conference(id, made.conference, made.consult);
    board.ask("add 100.3 to 100.2", add).unwrap();
    let third = board.fresh(0);
    let third = board
        .ask("prepare add 100.4 to 100.2", |switch, id| {
            switch.line_prepare_add_to_conference(id, made.conference, third, Some(&to("5550002")))
        })
        .unwrap();
    let add = |switch: &Scripted, id| switch.line_add_to_conference(id, made.conference, third);
    board.ask("add 100.4 to 100.2", add).unwrap();
    let remove = |switch: &Scripted, id, call| switch.line_remove_from_conference(id, call);
    board.on("remove from conference", made.consult, remove).unwrap();
    board.note("far  5550002 hangs up");
    board.switch.hang_up(third, DisconnectMode::Normal);
    board.drops(board.last(1));
    board.compare("conference");
    assert_eq!(board.state(made.conference), Some(S::Disconnected(DisconnectMode::Normal)), "nobody is left");
}

#[test]
fn conference_ended_by_whoever_made_it() {
    let board = Board::new();
    let (_, offered) = board.talk(1, 0);
    let consulted = consult(&board, 0, offered, Some("102"));
    board.answers(board.last(2));
    let conference = complete(&board, offered, consulted, TransferMode::Conference).unwrap();
    board.clear();
    hold(&board, conference);
    unhold(&board, conference);
    board.drops(conference);
    board.compare("conference_dropped");
}

#[test]
fn park_directed_and_fetched_elsewhere() {
    let board = Board::new();
    let (_, offered) = board.talk(1, 0);
    board.clear();
    let mode = ParkMode::Directed("705".to_owned());
    let park = |switch: &Scripted, id, call| switch.line_park(id, call, &mode);
    board.on("park at 705", offered, park).unwrap();
    let ht = board.fresh(2);
    let fetched =
        board.ask("unpark 102.1 from 705", |switch, id| switch.line_unpark(id, board.lines[2], ht, "705"));
    board.drops(fetched.unwrap());
    board.compare("park_directed");
}

#[test]
fn park_where_the_switch_likes_and_the_reminder() {
    let board = Board::new();
    let offered = board.switch.ring(0, "5551234").unwrap();
    board.answers(offered);
    board.clear();
    let park = |switch: &Scripted, id, call| switch.line_park(id, call, &ParkMode::NonDirected);
    board.on("park", offered, park).unwrap();
    board.note("time nobody fetches it");
    let back = board.switch.remind("700").unwrap();
    board.answers(back);
    board.compare("park_nondirected_reminder");
}

#[test]
fn pickup_by_address_and_by_group() {
    let board = Board::new();
    board.dial(0, "101");
    let ht = board.fresh(2);
    board.clear();
    let picked = board.ask("pickup 102.1 at 101", |switch, id| {
        switch.line_pickup(id, board.lines[2], ht, Some("101"), None)
    });
    board.drops(picked.unwrap());
    board.note("far  5551234 calls 101");
    board.switch.ring(1, "5551234").unwrap();
    let ht = board.fresh(2);
    let group = board.ask("pickup 102.2 in its group", |switch, id| {
        switch.line_pickup(id, board.lines[2], ht, None, None)
    });
    group.unwrap();
    board.compare("pickup");
}

fn forward(board: &Board, mode: ForwardMode) {
    let all = [Forward { mode, caller: None, destination: "102".to_owned() }];
    let ask = |switch: &Scripted, id| switch.line_forward(id, board.lines[1], &all, None);
    board.ask(&format!("forward 101 to 102 {mode:?}"), ask).unwrap();
}

#[test]
fn forwarding_in_each_mode() {
    let board = Board::with(busy_at(1));
    forward(&board, ForwardMode::Unconditional);
    let placed = board.dial(0, "101");
    assert_eq!(board.info(board.last(2)).reason, offhook_spi::CallReason::ForwardedAlways);
    board.drops(placed);
    forward(&board, ForwardMode::Busy);
    board.note("far  5551234 calls 101");
    let busy = board.switch.ring(1, "5551234").unwrap();
    board.answers(busy);
    let placed = board.dial(0, "101");
    assert_eq!(board.info(board.last(2)).reason, offhook_spi::CallReason::ForwardedBusy);
    assert_eq!(board.info(board.last(2)).redirecting.unwrap().address, "101");
    board.drops(placed);
    board.drops(busy);
    forward(&board, ForwardMode::NoAnswer);
    board.dial(0, "101");
    board.note("time 101 rings out");
    board.switch.rings_out(board.last(1));
    assert_eq!(board.info(board.last(2)).reason, offhook_spi::CallReason::ForwardedNoAnswer);
    board.answers(board.last(2));
    board.compare("forward");
}

#[test]
fn call_back_when_the_busy_party_is_free() {
    let board = Board::with(busy_at(1));
    let busy = board.switch.ring(1, "5551234").unwrap();
    board.answers(busy);
    board.clear();
    let placed = board.dial(0, "101");
    let back = |switch: &Scripted, id, call| switch.line_complete_call(id, call, CompletionMode::CallBack);
    board.on("complete call by call-back", placed, back).unwrap();
    board.drops(busy);
    board.answers(board.last(0));
    board.answers(board.last(1));
    board.compare("completion_callback");
}

#[test]
fn camp_on_until_the_busy_party_is_free() {
    let board = Board::with(busy_at(1));
    let busy = board.switch.ring(1, "5551234").unwrap();
    board.answers(busy);
    board.clear();
    let placed = board.dial(0, "101");
    let camp = |switch: &Scripted, id, call| switch.line_complete_call(id, call, CompletionMode::CampOn);
    board.on("complete call by camp-on", placed, camp).unwrap();
    board.drops(busy);
    board.answers(board.last(1));
    board.compare("completion_camp_on");
}

#[test]
fn redirection_of_an_offered_call() {
    let board = Board::new();
    board.dial(0, "101");
    board.clear();
    let go = |switch: &Scripted, id, call| switch.line_redirect(id, call, "102");
    board.on("redirect to 102", board.last(1), go).unwrap();
    board.answers(board.last(2));
    board.compare("redirect");
}

#[test]
fn media_follow_a_handoff() {
    let board = Board::new();
    let other = board.switch.line_create_msp_instance(board.lines[0], 0, offhook_spi::HtMspLine(7)).unwrap();
    let (placed, _) = board.talk(0, 1);
    board.clear();
    board.switch.line_move_media(placed, other).unwrap();
    board.switch.line_move_media(placed, board.msps[0]).unwrap();
    board.drops(placed);
    board.compare("move_media");
    assert_eq!(MediaTypes::AUDIO, board.info(placed).media);
}
