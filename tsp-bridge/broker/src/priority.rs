//! Which application comes first: for calls that arrive, and for calls that are handed on by media type.
//!
//! In: SetAppPriority; the openings of a line. Out: an opening.
//!
//! A list a media type, of application names, the first before the second; who is in no list comes after those that
//! are, in the order of opening. A name stays in its list while the broker runs, also when no application of that name
//! is there: so a place is kept over a restart of the application, and over nothing else. Several applications of one
//! name share a place, in the order of opening.
//! A call of several media types goes to the first application for audio, and, if there is none, to the first for
//! video: as TAPI tries the media types of a call one after the other, the most important first.

use offhook_spi::{AppReply, HtLine, LineError, MediaTypes, Privilege};

use crate::model::{ClientId, Inner, Open, State};

/// The media types in the order in which they are tried.
const ORDER: [MediaTypes; 2] = [MediaTypes::AUDIO, MediaTypes::VIDEO];

/// The most names in a list; the last one falls out.
const MOST_NAMES: usize = 256;

/// The lists, in [`ORDER`].
#[derive(Default)]
pub(crate) struct Priorities([Vec<String>; 2]);

impl Priorities {
    fn set(&mut self, media: MediaTypes, name: &str, first: bool) {
        for (kind, list) in ORDER.iter().zip(&mut self.0).filter(|(kind, _)| media.contains(**kind)) {
            list.retain(|known| known != name);
            if first {
                list.insert(0, name.to_owned());
                list.truncate(MOST_NAMES);
            }
            tracing::debug!(name, ?kind, first, "application priority");
        }
    }

    /// Where a name stands for one media type; whoever is in no list stands last.
    fn rank(&self, kind: MediaTypes, name: &str) -> usize {
        let list = ORDER.iter().zip(&self.0).find(|(known, _)| **known == kind).map(|(_, list)| list);
        list.and_then(|list| list.iter().position(|known| known == name)).unwrap_or(usize::MAX)
    }
}

impl Inner {
    pub(crate) fn set_priority(
        &self,
        client: ClientId,
        media: MediaTypes,
        first: bool,
    ) -> Result<AppReply, LineError> {
        if media.is_empty() {
            return Err(LineError::InvalMediaMode);
        }
        self.with(|state| {
            let name = state.clients.get(&client).map(|client| client.name.clone());
            state.priorities.set(media, &name.ok_or(LineError::NoDriver)?, first);
            Ok(AppReply::Done)
        })
    }
}

impl State {
    /// The openings of a line as owner for one media type, the first application first.
    pub(crate) fn ranked(&self, line: HtLine, kind: MediaTypes) -> Vec<Open> {
        let opens = self.lines.get(&line).map(|line| line.opens.as_slice()).unwrap_or_default();
        let fits = |open: &&Open| open.privilege == Privilege::Owner && open.media.contains(kind);
        let mut found: Vec<_> = opens.iter().filter(fits).copied().collect();
        let name = |open: &Open| self.clients.get(&open.client).map_or("", |client| client.name.as_str());
        found.sort_by_key(|open| self.priorities.rank(kind, name(open)));
        found
    }

    /// The opening to own a call that arrived with these media (none: they are not known).
    pub(crate) fn owner(&self, line: HtLine, media: MediaTypes) -> Option<Open> {
        let wanted = |kind: &MediaTypes| media.is_empty() || media.contains(*kind);
        ORDER.into_iter().filter(wanted).find_map(|kind| self.ranked(line, kind).into_iter().next())
    }
}
