//! What runs in real time: the two processors and the nodes they call.
//!
//! In: blocks, datagrams and commands, with the time. Out: blocks, datagrams, meters, retired objects.
//! Not here: anything that builds, waits or reports (`control`).
//! RT: no allocation, lock, syscall, log or panic. (Constructors allocate and are called by control.)

pub mod clip;
pub mod echo;
pub mod gain;
pub mod node;
pub mod packet;
pub mod peer;
pub mod record;
pub mod rx;
pub mod tick;
pub mod tone;
pub mod tx;
