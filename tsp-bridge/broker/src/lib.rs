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
//! Not here: any thread, runtime or clock (everything runs on the caller's thread, and times are the providers'; the
//! one clock that is read stamps those hub events whose cause no provider timed);
//! sockets (`rpc`); what opaque buffers mean (this crate does not depend on `pair` and cannot read them).
//!
//! # Rules, and what is decided here where TAPI is silent
//!
//! - **Replies.** Every request gets exactly one reply through the sink, in the order of events. It may come before
//!   [`Link::submit`](offhook_spi::Link::submit) has returned, on the same thread; a sink that queues, as it must,
//!   sees it after the submission all the same. A completion that does not bring what was asked for (a parked call
//!   without its address) is a failure.
//! - **Opening.** One device is open once at its provider, for all clients. A line opened for arriving calls is open
//!   when the provider has been told to listen for their media; if it cannot, the opening fails with its error.
//!   A line opened without privilege places calls and receives none. One MSP instance stands behind an opening; a
//!   client that opens a line several times may have several.
//! - **Versions.** A client negotiates a version a device, from 1.3 to the device's own, and an opening keeps the one
//!   that held when it was made. What a client is told goes by the words of its version (`versions.rs` has the table);
//!   an MSP needs 3.0 on both sides.
//! - **Calls that a request makes** (placed, to consult by, conferences, fetched) are not valid before the provider's
//!   completion reported success; the two calls of one request become valid together. What a provider says about them
//!   earlier is dropped and counted ([`Diagnostics::early_events`]); a buffer is refused. What it says between the
//!   completion and its return from the request is held and follows the reply. Failure forgets them without
//!   `line_close_call`; if the client goes meanwhile, or a call that the request is about, they are dropped and closed
//!   as soon as the provider has named them.
//! - **Calls that arrive** are offered to one owner, the first application for the call's media, and shown to every
//!   monitor. First is who was put in front (`SetAppPriority`), else who opened the line first; a call of several media
//!   goes to the first for audio, then for video (`priority.rs`). A call that nobody wants is refused at once
//!   (`new_call` answers `None`) or, if its media turn out to be unwanted, dropped with `Unavail`. A call seen by
//!   monitors only is announced and rings until one of them makes itself its owner or its caller gives up. A call made
//!   by one client is shown to the monitors when its first state comes.
//! - **Back-pressure.** `new_call` answers `None` while the line has as many calls as its capabilities allow, or 1024
//!   calls that were announced and have no state yet.
//! - **States.** A transition outside the table of [`legal`] is dropped and counted. Which state and which capability a
//!   verb needs stands in `verbs.rs`; both are checked before the provider is asked.
//! - **Ownership.** `ownership.rs` has who is told what. A sole owner may not become a monitor unless the call is idle
//!   (`InvalCallState`). A handoff by name goes to the first other application of that name that has the line open as
//!   owner; one by media to the first other application for that type. If nobody but the asking one fits it is
//!   `TargetSelf` (TAPI says so also if the asking one merely comes first: then no application that comes first could
//!   ever hand a call on), if nobody at all, `TargetNotFound`. A call without a state cannot be handed on. Who accepted
//!   or answered a call is read from its information and is no event.
//! - **Media.** A call's media are at one MSP instance: the first owner's that answers the TSP. A handoff takes them
//!   along (`line_move_media`), and so does the going of the owner that has them; `ownership.rs` and `opaque.rs` have
//!   the tables.
//! - **Deallocation.** The last handle's deallocation drops the call (unless idle) and closes it without waiting. If
//!   the last owner goes and monitors stay, the call is dropped and closed with the last monitor; while another owner
//!   stays, nothing is dropped. A client that dies gives up everything in the same way. An offered call is
//!   dropped with `Reject`, any other with `Normal`. Requests outstanding on a closed call, line or phone are completed
//!   with `OperationFailed` by the broker, whatever the provider does.
//! - **Opaque buffers.** To an MSP: the instance named, or every instance on the line whose client holds the call;
//!   nobody to deliver to is an error. To the TSP: only an owner's, only from an instance that has or had the call's
//!   media (or, while none has, takes them by this), and only after the TSP has sent a buffer on that call to that
//!   instance (`OperationFailed`: the TSP speaks first). Nothing is ever queued for later. Buffers pass until the call
//!   is deallocated, also after its end.
//! - **Hubs** (`hubs.rs`). Calls of one provider with one call id are one hub, of lines whose provider tells of hubs,
//!   tracked or not; who tracks is told, in the order of [`offhook_spi::hub`]. docs/call-hubs.md has the rules.
//! - **Extensions** (`extension.rs`). All openings of one device speak one version, negotiated by each; without it
//!   nothing device-specific passes, and what passes is not read.
//! - **Phones** (`phones.rs`). One owner and any number of monitors share one device.
//! - **A line or phone that its provider closed** is forgotten with everything on it without another word to
//!   the provider; it can be opened anew.
//! - **Re-entry.** No lock is held while a provider or a sink is called. The broker asks `line_call_info` from inside
//!   `call_state` (of a call that is to be announced or may join a hub) and `call_info`: a provider must not report while it holds a
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
