//! Holds any telephony service provider to the rules of TSPI, and says line by line how it did.
//!
//! ```text
//! your provider ◀─ Tspi ── suite ── Harness ─▶ the world: who calls, answers, hangs up
//!               ── TspEvents ─▶ recorder: the rules that always stand
//! ```
//!
//! In: a provider and a [`Harness`]. Out: a [`Report`], a line a rule, with where the rule stands.
//! The rules are those at the top of [`offhook_spi::tspi`] and of docs/conformance.md. It drives the SPI as a broker
//! does, on one thread, with a clock only to give up by. What a provider does not have is not applicable.
//! Not here: brokers, media, what opaque buffers mean.
//!
//! ```
//! use offhook_conformance::{Exchange, run};
//! use offhook_scripted::ScriptedConfig;
//!
//! let (provider, mut harness) = Exchange::new(ScriptedConfig::switch(3));
//! let report = run(provider, &mut harness);
//! assert!(report.passed(), "{report}");
//! ```

mod checks;
mod exchange;
mod harness;
mod legal;
mod recorder;
mod rules;
mod session;

use std::sync::Arc;

use offhook_spi::{ApiVersion, TspEvents, Tspi};

pub use exchange::Exchange;
pub use harness::{Addresses, FarEnd, Harness};
pub use rules::{Line, Outcome, Report, Rule};
use session::{DEVICE, Session};

/// Runs the suite on a provider that was not started yet; its device 0 is used, and phone 0 if it has one. The provider
/// is shut down at the end.
pub fn run(provider: Arc<dyn Tspi>, harness: &mut dyn Harness) -> Report {
    let caps = match provider.line_dev_caps(DEVICE) {
        Ok(caps) => caps,
        Err(error) => return hopeless("a provider", Rule::Caps, &format!("device 0: {error}")),
    };
    let name = caps.provider.clone();
    let newest = ApiVersion(0x0003_0001);
    let version = match provider.line_negotiate_version(DEVICE, ApiVersion(0x0002_0000), newest) {
        Ok(version) => version,
        Err(error) => return hopeless(&name, Rule::VersionCommon, &format!("2.0 to 3.1: {error}")),
    };
    let mut session = Session::new(provider, harness, caps, version);
    let events: Arc<dyn TspEvents> = session.recorder.clone();
    if let Err(error) = session.provider.provider_init(events) {
        return hopeless(&name, Rule::Caps, &format!("provider_init: {error}"));
    }
    checks::basics(&mut session);
    if let Err(error) = session.open() {
        return hopeless(&name, Rule::LineOpen, &format!("device 0 does not open: {error}"));
    }
    // What a provider has may show when it is open only.
    if let Ok(caps) = session.provider.line_dev_caps(DEVICE) {
        session.caps = caps;
    }
    checks::handles(&mut session);
    checks::outgoing(&mut session);
    checks::incoming(&mut session);
    checks::ends(&mut session);
    checks::features(&mut session);
    checks::services(&mut session);
    checks::conferences(&mut session);
    checks::numbers(&mut session);
    checks::opaque(&mut session);
    checks::extension(&mut session);
    checks::phone(&mut session);
    checks::line_close(&mut session);
    checks::shutdown(&mut session);
    session.log(|log| log.findings.report(&name))
}

/// A provider that cannot even be opened.
fn hopeless(name: &str, rule: Rule, why: &str) -> Report {
    let mut findings = rules::Findings::default();
    findings.broken(rule, why);
    findings.report(name)
}
