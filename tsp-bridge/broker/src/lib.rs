//! The TAPISRV role: providers, lines, calls, clients and the routing of opaque buffers.
//!
//! ```text
//!  client ─ Link ─▶ requests ──▶ Tspi ──▶ provider
//!         ◀ sink ── outbox ◀── events ◀── TspEvents
//!                     one queue a client, one deliverer at a time
//! ```
//!
//! In: [`Tspi`](offhook_spi::Tspi) providers, clients with an [`AppSink`](offhook_spi::AppSink). Out: requests to the
//! providers, events to the clients.
//! Not here: any thread, runtime or clock (everything runs on the caller's thread, and times are the providers');
//! sockets (`rpc`); what opaque buffers mean (this crate does not depend on `pair` and cannot read them).
//!
//! # Rules, and what is decided here where TAPI is silent
//!
//! - **Replies.** Every request gets exactly one reply through the sink, in the order of events. It may come before
//!   [`Link::submit`](offhook_spi::Link::submit) has returned, on the same thread; a sink that queues, as it must,
//!   sees it after the submission all the same.
//! - **Opening.** One device is open once at its provider, for all clients. A line opened for arriving calls is open
//!   when the provider has been told to listen for their media; if it cannot, the opening fails with its error.
//!   A line opened without privilege places calls and receives none. An application has one MSP instance a line,
//!   whichever of its openings it was made through.
//! - **Calls placed.** The call is not valid before the provider's completion reported success. What a provider says
//!   about it earlier is dropped and counted ([`Diagnostics::early_events`]); a buffer is refused. What it says
//!   between the completion and its return from `line_make_call` is held and follows the reply.
//! - **Calls that arrive** are offered to one owner, the client that first opened the line as owner for one of the
//!   call's media, and shown to every monitor. A call that nobody wants is refused at once (`new_call` answers
//!   `None`) or, if its media turn out to be unwanted, dropped with `Unavail`. A call seen by monitors only is
//!   announced and rings until its caller gives up. A call placed by one client is shown to the monitors when its
//!   first state comes.
//! - **States.** A transition outside the table of [`legal`] is dropped and counted.
//! - **Deallocation.** The last handle's deallocation drops the call (unless idle) and closes it without waiting. If
//!   the last owner goes and monitors stay, the call is dropped and closed with the last monitor. An offered call is
//!   dropped with `Reject`, any other with `Normal`. Requests outstanding on a closed call are completed with
//!   `OperationFailed` by the broker, whatever the provider does.
//! - **Opaque buffers.** To an MSP: the instance named, or every instance on the line whose client holds the call;
//!   nobody to deliver to is an error. To the TSP: only an owner's, only for a call that the client holds, and only
//!   after the TSP has sent a buffer on that call (`OperationFailed`: the TSP speaks first). Nothing is ever queued
//!   for later. Buffers pass until the call is deallocated, also after its end.
//! - **A line that its provider closed** is forgotten with all its calls and MSP instances without another word to
//!   the provider; it can be opened anew.
//! - **Re-entry.** No lock is held while a provider or a sink is called. The broker asks `line_call_info` from inside
//!   `call_state` (of a call that is to be announced) and `call_info`: a provider must not report while it holds a
//!   lock that it needs to answer this.
//! - **A poisoned lock** (a thread panicked under it) is taken as it is: no code of others runs under it.

mod broker;
mod deallocate;
mod extension;
mod hubs;
pub mod legal;
mod lines;
mod making;
mod model;
mod opaque;
mod outbox;
mod ownership;
mod phones;
mod priority;
mod report;
mod requests;
mod supplementary;
mod verbs;
mod versions;

pub use broker::{Broker, Census};
pub use model::Diagnostics;
/// A provider to try a broker with.
pub use offhook_scripted as scripted;
