//! The harness of the scripted provider's exchange: what the suite itself is tried on.
//!
//! Device 0 is under test; whoever is called and calls is outside. Device 1, extension 101, is where calls ring to be
//! picked up, and who is busy.

use std::sync::Arc;

use offhook_scripted::{Drive, Outside, Scripted, ScriptedConfig};
use offhook_spi::{DisconnectMode, HdCall, LineCallState as S, MediaTypes, Opaque, Tspi};

use crate::harness::Harness;

const RINGS: &str = "5550001";
const ANSWERS: &str = "5550002";
const NEIGHBOUR: &str = "101";

/// The exchange around device 0.
pub struct Exchange {
    switch: Arc<Scripted>,
    stepped: bool,
    behaves: bool,
}

impl Exchange {
    /// An exchange, or with a configuration without one a provider by scripts, and its harness.
    pub fn new(mut config: ScriptedConfig) -> (Arc<dyn Tspi>, Self) {
        if let Some(switch) = &mut config.switch {
            // With one call an extension is busy: that is how somebody is found who is.
            switch.busy_at = 1;
        }
        let (stepped, behaves) = (config.drive == Drive::Stepped, config.switch.is_some());
        let switch = Scripted::new(config);
        switch.set_outside(RINGS, Some(Outside::Rings));
        switch.set_outside(ANSWERS, Some(Outside::Answers));
        if !behaves {
            let down = S::Disconnected(DisconnectMode::BadAddress);
            switch
                .script_dial("999", [offhook_scripted::Step::Complete, offhook_scripted::Step::State(down)]);
        }
        (switch.clone(), Self { switch, stepped, behaves })
    }

    /// The latest call of device 0 that is not over.
    fn latest(&self) -> Option<HdCall> {
        let over =
            |call: &HdCall| matches!(self.switch.state_of(*call), None | Some(S::Idle | S::Disconnected(_)));
        self.switch.calls().into_iter().rev().find(|call| !over(call))
    }
}

impl Harness for Exchange {
    fn destination(&mut self) -> Option<String> {
        Some(RINGS.to_owned())
    }

    fn second_destination(&mut self) -> Option<String> {
        self.behaves.then(|| ANSWERS.to_owned())
    }

    fn nowhere(&mut self) -> Option<String> {
        Some("999".to_owned())
    }

    fn busy(&mut self) -> Option<String> {
        self.rings_elsewhere()
    }

    fn rings_elsewhere(&mut self) -> Option<String> {
        self.switch.ring(1, "5554321").map(|_| NEIGHBOUR.to_owned())
    }

    fn calls_in(&mut self) -> bool {
        // Nobody may be listening, or the broker turns it away: that is the suite's to see.
        let _ = self.switch.ring_with(0, "5551234", MediaTypes::AUDIO);
        true
    }

    fn far_end_answers(&mut self) -> bool {
        self.move_on();
        self.latest().map(|call| self.switch.far_end_answers(call)).is_some()
    }

    fn far_end_hangs_up(&mut self) -> bool {
        self.move_on();
        self.latest().map(|call| self.switch.hang_up(call, DisconnectMode::Normal)).is_some()
    }

    fn all_released(&mut self) -> Option<bool> {
        Some(self.latest().is_none())
    }

    fn msp_answers(&mut self, _: &Opaque) -> Vec<Opaque> {
        // An empty buffer: any will do.
        Opaque::new(&b""[..]).into_iter().collect()
    }

    fn move_on(&mut self) {
        if self.stepped {
            self.switch.run();
        }
    }

    fn patience(&self) -> std::time::Duration {
        // It reads no clock: what does not come at once does not come.
        std::time::Duration::from_secs(2)
    }

    fn stillness(&self) -> std::time::Duration {
        std::time::Duration::from_millis(20)
    }
}
