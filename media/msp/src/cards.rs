//! Sound cards that come and go: no host says so, so they are looked for a few times a second.
//! In: turns of a thread that may wait for a device. Out: terminals, `MspEvent::Address`, cards that are looked after,
//! calls that are told to look after theirs.
//! Nothing is looked for before an application has asked for the list of cards or a call uses one.
//! Not here: what a call does about it (`selection.rs`), devices (`offhook-device`).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use offhook_device::{DeviceInfo, Selector, Sound};
use offhook_spi::mspi::{Direction, TerminalInfo};
use offhook_spi::{MspCallId, MspEvent, TerminalId};

use crate::call::Call;
use crate::lock;
use crate::media::Media;
use crate::outbox::Outbox;
use crate::selection::Defaults;
use crate::service::Served;
use crate::terminal::{CardTerminal, Kind, Terminal};

/// What an address's requests and its cards' thread share.
pub(crate) struct Registry {
    next: AtomicU64,
    pub(crate) calls: Mutex<HashMap<MspCallId, Arc<Call>>>,
    pub(crate) terminals: Mutex<BTreeMap<TerminalId, Arc<Terminal>>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { next: AtomicU64::new(1), calls: Mutex::default(), terminals: Mutex::default() }
    }

    /// The next number of a call or terminal.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The cards of one address.
pub(crate) struct Cards {
    media: Arc<Media>,
    outbox: Arc<Outbox>,
    registry: Arc<Registry>,
    /// Seen so far: a card keeps its number while the address lives.
    known: Mutex<Vec<Known>>,
    is_watched: AtomicBool,
}

struct Known {
    key: String,
    info: TerminalInfo,
    is_there: bool,
}

impl Cards {
    pub(crate) fn new(media: Arc<Media>, outbox: Arc<Outbox>, registry: Arc<Registry>) -> Self {
        Self { media, outbox, registry, known: Mutex::default(), is_watched: AtomicBool::new(false) }
    }

    /// Those that are there. From now on who asked is told when one comes or goes.
    pub(crate) fn list(&self) -> Vec<TerminalInfo> {
        // What comes and goes with this look is in the answer, and no event.
        self.look(self.media.sound());
        self.is_watched.store(true, Ordering::Release);
        lock(&self.known).iter().filter(|card| card.is_there).map(|card| card.info.clone()).collect()
    }

    /// Whether a terminal is a card that is there by itself.
    pub(crate) fn has(&self, terminal: TerminalId) -> bool {
        lock(&self.known).iter().any(|card| card.info.id == terminal)
    }

    /// Looks who is there; who came and who went.
    fn look(&self, sound: &Sound) -> Vec<(TerminalInfo, bool)> {
        let found = cards(sound);
        let mut known = lock(&self.known);
        let mut news = Vec::new();
        for card in known.iter_mut().filter(|card| card.is_there) {
            let is_it =
                |(key, _, way): &(String, String, Direction)| *key == card.key && *way == card.info.direction;
            if !found.iter().any(is_it) {
                card.is_there = false;
                news.push((card.info.clone(), false));
            }
        }
        for (key, name, direction) in found {
            let before = known.iter_mut().find(|card| card.key == key && card.info.direction == direction);
            match before {
                Some(card) if card.is_there => {}
                Some(card) => {
                    card.is_there = true;
                    news.push((card.info.clone(), true));
                }
                None => {
                    let info = TerminalInfo { id: TerminalId(self.registry.number()), name, direction };
                    let card = CardTerminal::new(Selector::Named(key.clone()), self.media.sample_rate());
                    let terminal = Arc::new(Terminal::new(info.clone(), Kind::Card(card)));
                    lock(&self.registry.terminals).insert(info.id, terminal);
                    known.push(Known { key, info: info.clone(), is_there: true });
                    news.push((info, true));
                }
            }
        }
        news
    }
}

impl Served for Cards {
    fn turn(&self) {
        let Some(sound) = self.media.sound_if_any() else { return };
        sound.tend();
        if self.is_watched.load(Ordering::Acquire) {
            let news = self.look(sound);
            for (terminal, available) in &news {
                let (terminal, available) = (terminal.clone(), *available);
                self.outbox.put(MspEvent::Address { terminal, available });
            }
            if !news.is_empty() {
                self.outbox.raise();
            }
        }
        let calls: Vec<_> = lock(&self.registry.calls).values().cloned().collect();
        if calls.is_empty() {
            return;
        }
        let defaults =
            Defaults { capture: sound.default_capture_id(), playback: sound.default_playback_id() };
        calls.iter().for_each(|call| call.look_after_cards(sound, &defaults));
    }
}

/// Every direction of every card that there is: what selects it, its name, where it faces. None is no error.
fn cards(sound: &Sound) -> Vec<(String, String, Direction)> {
    let devices = sound.present().unwrap_or_else(|error| {
        tracing::debug!(%error, "sound cards cannot be listed");
        Vec::new()
    });
    let mut found = Vec::new();
    for device in devices {
        for direction in [Direction::Capture, Direction::Render] {
            if faces(&device, direction) {
                let key = device.id.clone().unwrap_or_else(|| device.name.clone());
                found.push((key, device.name.clone(), direction));
            }
        }
    }
    found
}

fn faces(device: &DeviceInfo, direction: Direction) -> bool {
    match direction {
        Direction::Capture => device.capture,
        Direction::Render => device.playback,
    }
}
