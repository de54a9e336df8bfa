//! What runs in real time: the two processors and the nodes they call.
//!
//! In: blocks, datagrams and commands, with the time. Out: blocks, datagrams, meters, retired objects.
//! Not here: anything that builds, waits or reports (`control`).
//! RT: no allocation, lock, syscall, log or panic. (Constructors allocate and are called by control.)

pub(crate) mod blocks;
pub mod bus;
pub mod clip;
pub(crate) mod copies;
pub mod driven;
pub mod echo;
pub(crate) mod elastic;
pub(crate) mod events;
pub mod gain;
pub(crate) mod handover;
pub mod log;
pub(crate) mod mix;
pub mod node;
pub(crate) mod orders;
pub(crate) mod outlet;
pub mod packet;
pub mod packet_tap;
pub mod passed_through;
pub mod pcm;
pub mod peer;
pub(crate) mod reception;
pub mod record;
pub mod resampled;
pub mod rx;
pub(crate) mod seam;
pub(crate) mod sinks;
pub(crate) mod sources;
pub mod tick;
pub mod tone;
pub mod tx;
