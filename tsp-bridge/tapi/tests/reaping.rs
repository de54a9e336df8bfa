//! Calls whose shutting down takes its time: no other call waits for them, and whoever is to wait does.
//!
//! Time proves nothing here: a gate in the MSP holds every shutdown up until the test opens it.

mod support;

use std::time::Duration;

use offhook_spi::{MediaTypes, Privilege};
use offhook_tapi::{Call, Event};
use support::{App, House, opaque};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Long enough for any machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than there are threads for.
const CALLS: usize = 200;

fn calls(app: &App, count: usize) -> Vec<Call> {
    (0..count).map(|_| app.address.create_call("bob", MediaTypes::AUDIO).unwrap()).collect()
}

/// Waits until so many shutdowns have begun.
async fn begun(app: &App, count: usize) {
    let msp = app.msp_address();
    let reached = async {
        while msp.gate.passed().0 < count {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("shutdowns begin");
}

/// That it is not over, however long others had a chance to end it.
async fn still_waits<T>(task: &JoinHandle<T>) {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_millis(20)).await;
    assert!(!task.is_finished());
}

async fn ends<T>(task: JoinHandle<T>) -> T {
    timeout(PATIENCE, task).await.expect("it ends").unwrap()
}

#[tokio::test]
async fn a_call_arrives_and_gets_its_media_while_the_shutdowns_of_two_hundred_are_held_up() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    let msp = app.msp_address();
    msp.gate.close();
    drop(calls(&app, CALLS));
    begun(&app, 16).await;

    let hd = house.switch.ring(0, "alice").unwrap();
    house.switch.then(hd, [offhook_broker::scripted::Step::Send(opaque("PREPARE"))]);
    house.switch.run();
    let event = timeout(PATIENCE, app.events.next()).await.expect("the pump is free").unwrap();
    let Event::CallNotification { call, .. } = event else { panic!("{event:?}") };
    assert_eq!(call.streams().unwrap().len(), 2);
    let prepared = async {
        while app.tapi.diagnostics().msp_data_sent == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, prepared).await.expect("the MSP's answer reaches the TSP");

    let (begun, ended) = msp.gate.passed();
    assert_eq!((begun, ended), (16, 0), "a bounded number of threads waits, for all of them");
    msp.gate.open();
    timeout(PATIENCE, app.tapi.settled()).await.expect("all of them end").unwrap();
    assert_eq!(msp.gate.passed(), (CALLS, CALLS));
    assert_eq!(msp.state.lock().unwrap().calls.len(), 1, "the one that arrived");
}

#[tokio::test]
async fn whoever_releases_settles_or_closes_waits_for_the_shutdown() {
    let house = House::new();
    let app = house.app("app", Privilege::None).await;
    let msp = app.msp_address();
    let [first, again, other]: [Call; 3] = {
        let call = calls(&app, 2);
        [call[0].clone(), call[0].clone(), call[1].clone()]
    };
    msp.gate.close();
    let release = tokio::spawn(async move { first.release().await });
    begun(&app, 1).await;
    let once_more = tokio::spawn(async move { again.release().await });
    let tapi = app.tapi.clone();
    let settle = tokio::spawn(async move { tapi.settled().await });
    still_waits(&release).await;
    still_waits(&once_more).await;
    still_waits(&settle).await;
    msp.gate.open();
    ends(release).await;
    ends(once_more).await;
    assert_eq!(ends(settle).await, Ok(()));
    assert_eq!(msp.state.lock().unwrap().calls.len(), 1);

    msp.gate.close();
    let tapi = app.tapi.clone();
    let close = tokio::spawn(async move { tapi.close().await });
    still_waits(&close).await;
    assert_eq!(
        msp.gate.passed(),
        (2, 1),
        "a call that nobody released is released by the end of the session"
    );
    msp.gate.open();
    ends(close).await;
    assert!(msp.state.lock().unwrap().calls.is_empty());
    other.release().await;
    assert_eq!(msp.gate.passed(), (2, 2), "once, whoever asks");
}

#[tokio::test]
async fn what_waits_for_a_thread_is_bounded_and_nothing_is_lost() {
    let house = House::new();
    let app = house.app("app", Privilege::None).await;
    let msp = app.msp_address();
    let many = calls(&app, 3_000);
    msp.gate.close();
    drop(many);
    // The pump does one itself now, and waits with it.
    begun(&app, 17).await;
    assert_eq!(msp.gate.passed(), (17, 0));
    msp.gate.open();
    app.tapi.close().await;
    assert_eq!(msp.gate.passed(), (3_000, 3_000));
    assert!(msp.state.lock().unwrap().calls.is_empty());
}

#[tokio::test]
async fn an_msp_that_panics_in_one_shutdown_keeps_nobody_waiting() {
    let house = House::new();
    let app = house.app("app", Privilege::None).await;
    let msp = app.msp_address();
    let several = calls(&app, 2);
    msp.gate.panic_once();
    for call in &several {
        timeout(PATIENCE, call.release()).await.expect("the release returns");
    }
    assert_eq!(msp.gate.passed(), (2, 1));
    timeout(PATIENCE, app.tapi.close()).await.expect("the session ends");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_thread_survives_the_session() {
    let ours = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        tasks.flatten().filter_map(name).filter(|name| name.starts_with("tapi-")).count()
    };
    // In a process of its own: tests beside this one have threads too.
    if std::env::var_os("OFFHOOK_ALONE").is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "no_thread_survives_the_session"])
            .env("OFFHOOK_ALONE", "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let house = House::new();
    let app = house.app("app", Privilege::None).await;
    drop(calls(&app, 50));
    app.tapi.settled().await.unwrap();
    assert!(ours() > 1);
    app.tapi.clone().close().await;
    let gone = async {
        while ours() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("every thread ends");
}
