//! Keeps alsa-lib's own words off standard error while devices are looked at and opened.
//!
//! alsa-lib writes a line for every plug-in that it cannot open, and a search tries many. Its error handler is replaced
//! for this thread and this moment; the words go to the log at debug level.

/// Does `work` with alsa-lib silent on this thread.
#[cfg(target_os = "linux")]
pub(crate) fn quietly<R>(work: impl FnOnce() -> R) -> R {
    // One that cannot be had leaves the noise and nothing else.
    let handler = alsa::Output::local_error_handler();
    let result = work();
    if let Ok(output) = handler {
        output.borrow_mut().buffer_string(|words| {
            if !words.is_empty() {
                tracing::debug!(words = %String::from_utf8_lossy(words), "alsa-lib");
            }
        });
    }
    result
}

/// Elsewhere nobody speaks.
#[cfg(not(target_os = "linux"))]
pub(crate) fn quietly<R>(work: impl FnOnce() -> R) -> R {
    work()
}
