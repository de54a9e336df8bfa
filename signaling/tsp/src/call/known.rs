//! Whether the broker still knows a call, and which of its requests about the call are outstanding.
//!
//! In: requests as they are taken, completions, the closing of the call or of its line. Out: what may still be told.
//! CloseCall takes effect when it returns, though the call's task needs a moment more on the wire: from then on the
//! call's handle is void, nothing names the call, and what was outstanding has failed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use offhook_spi::{LineError, RequestId};

/// Shared by a call's task and by the provider's table.
#[derive(Default)]
pub(crate) struct Known {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    outstanding: Vec<RequestId>,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a request, unless the call is closed.
    pub(crate) fn ask(&self, request: RequestId) -> Result<(), LineError> {
        let mut state = self.lock();
        if state.closed {
            return Err(LineError::InvalCallHandle);
        }
        state.outstanding.push(request);
        Ok(())
    }

    /// Whether the request was outstanding: it is not any more, and whoever hears so completes it.
    pub(crate) fn completed(&self, request: RequestId) -> bool {
        let mut state = self.lock();
        let found = state.outstanding.iter().position(|known| *known == request);
        found.map(|at| state.outstanding.remove(at)).is_some()
    }

    /// Closes the call. Answers the requests that are to fail, in the order in which they came.
    pub(crate) fn close(&self) -> Vec<RequestId> {
        let mut state = self.lock();
        state.closed = true;
        std::mem::take(&mut state.outstanding)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}
