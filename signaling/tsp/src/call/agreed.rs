//! What the far end's capabilities and flow control say about the channel that we send in.
//! In: channels that opened, TerminalCapabilitySets, flow control. Out: the same channels, told to the MSP with their
//! limits; again when those change.
//! Not here: which channels open (the machine), digits in them (`digits.rs`).

use offhook_pair::{Channel as PairChannel, Flow};

use super::running::Running;
use crate::media;

impl Running {
    /// A channel that opened, with what is known by now.
    pub(super) fn agreed(&self, channel: PairChannel) -> PairChannel {
        if channel.id.flow == Flow::Receive {
            return channel;
        }
        let capability =
            media::machine_codec(channel.codec).and_then(|codec| self.machine.remote_max_bit_rate(codec));
        // A rate of nothing is a pause: nothing is sent until it is lifted.
        PairChannel {
            comfort_noise: self.machine.remote_media().comfort_noise,
            max_bit_rate: [capability, self.rate_limit].into_iter().flatten().min(),
            ..channel
        }
    }

    /// Something may have changed for the channel that is open.
    pub(super) fn agree_anew(&mut self) {
        let Some(open) = self.digits.transmit else { return };
        let agreed = self.agreed(open);
        if agreed != open {
            self.start_channels(vec![agreed]);
        }
    }
}
