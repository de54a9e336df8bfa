//! A destination's addresses, in the order in which to try them.
//!
//! ```text
//! literal ─────────────────────────────────────────────────────────────▶ itself
//! name without a port ─▶ SRV _h323cs._tcp (H.323 Annex O) ─▶ targets ─▶ A, AAAA ─▶ interleaved
//!                     └▶ A, AAAA of the name itself, where there is no SRV record
//! name with a port, name of one label, name.local ──────▶ A, AAAA
//! ```
//! In: a [`Destination`]. Out: addresses. All questions of a name are under way at once; none holds a thread but those
//! for names that only this system may know (one label, `.local`). No address is ever turned into a name.
//!
//! Not here: trying them (`dial.rs`). Nothing is kept: name servers and the hosts file are read for each call, since
//! both change under a telephone that moves.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;
use offhook_spi::LineError;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::config::H323Config;
use crate::destination::{Destination, SIGNALLING_PORT};

/// The most addresses of one destination that are tried.
const MAX_ADDRESSES: usize = 16;

/// The most SRV targets that are looked up.
const MAX_TARGETS: usize = 8;

/// How long one family's addresses wait for the other's (RFC 8305 clause 3).
const FAMILY_PATIENCE: Duration = Duration::from_millis(50);

/// How long the addresses of a name wait for the answer whether it has SRV records.
const SRV_PATIENCE: Duration = Duration::from_secs(1);

/// The addresses of a destination, the first to be tried first; none only for one that names no host.
pub(crate) async fn resolve(
    config: &H323Config,
    destination: &Destination,
) -> Result<Vec<SocketAddr>, LineError> {
    let Some(name) = &destination.host else { return Ok(Vec::new()) };
    let found = match literal(name, destination.port.unwrap_or(SIGNALLING_PORT)) {
        Some(address) => Ok(vec![address]),
        None => in_time(config, look_up(&config.name_servers, name, destination.port)).await,
    };
    found.map_err(|why| LineError::InvalAddress(format!("cannot resolve {name:?}: {why}")))
}

/// The addresses of a host whose port is known.
pub(crate) async fn host(config: &H323Config, name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match literal(name, port) {
        Some(address) => Ok(vec![address]),
        None => in_time(config, look_up(&config.name_servers, name, Some(port))).await,
    }
}

/// The addresses behind the SRV records of `name` (`_service._protocol.domain`).
pub(crate) async fn service(config: &H323Config, name: &str) -> Result<Vec<SocketAddr>, String> {
    let resolver = resolver(&config.name_servers)?;
    let found = async {
        match services(&resolver, name).await {
            records if records.is_empty() => Err("no SRV records".to_owned()),
            records => of_services(&resolver, records).await,
        }
    };
    in_time(config, found).await
}

fn literal(name: &str, port: u16) -> Option<SocketAddr> {
    name.parse::<IpAddr>().ok().map(|literal| (literal.to_canonical(), port).into())
}

async fn in_time(
    config: &H323Config,
    looking: impl Future<Output = Result<Vec<SocketAddr>, String>>,
) -> Result<Vec<SocketAddr>, String> {
    let patience = config.resolve_timeout;
    match timeout(patience, looking).await {
        Ok(found) => found,
        Err(_) => Err(format!("no answer within {} s", patience.as_secs_f32())),
    }
}

async fn look_up(servers: &[SocketAddr], host: &str, named: Option<u16>) -> Result<Vec<SocketAddr>, String> {
    let port = named.unwrap_or(SIGNALLING_PORT);
    let local = !host.trim_end_matches('.').contains('.') || host.to_ascii_lowercase().ends_with(".local");
    if local && servers.is_empty() {
        return of_system(host, port).await;
    }
    let resolver = match resolver(servers) {
        Ok(resolver) => resolver,
        Err(why) => {
            tracing::warn!(why, "the system's name servers are unknown: no SRV records");
            return of_system(host, port).await;
        }
    };
    if named.is_some() || local {
        return Ok(spread([addresses(&resolver, host, port).await?]));
    }
    let name = format!("_h323cs._tcp.{host}");
    let (own, service) = (addresses(&resolver, host, port), services(&resolver, &name));
    tokio::pin!(own, service);
    let (answered, services) = tokio::select! {
        found = &mut own => {
            // A slow answer about SRV does not keep a call from an address that is known.
            let patience = if found.is_ok() { SRV_PATIENCE } else { Duration::MAX };
            (Some(found), timeout(patience, service).await.unwrap_or_default())
        }
        services = &mut service => (None, services),
    };
    if !services.is_empty() {
        return of_services(&resolver, services).await;
    }
    let own = match answered {
        Some(found) => found,
        None => own.await,
    };
    Ok(spread([own?]))
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let builder = if servers.is_empty() {
        TokioResolver::builder_tokio().map_err(|why| why.to_string())?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.to_vec())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    builder.build().map_err(|why| why.to_string())
}

/// What `getaddrinfo` says, which knows more than DNS; it holds a thread of the runtime's pool meanwhile.
async fn of_system(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found: Vec<_> = lookup_host((host, port)).await.map_err(|why| why.to_string())?.collect();
    if found.is_empty() { Err("no address".to_owned()) } else { Ok(spread([found])) }
}

/// The A and AAAA records of a name, or what the hosts file has in their place. The family that answers first waits a
/// little for the other: a name server that loses one of the questions does not lose the call.
async fn addresses(resolver: &TokioResolver, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let (v6, v4) = (resolver.ipv6_lookup(host), resolver.ipv4_lookup(host));
    tokio::pin!(v6, v4);
    let (v6, v4) = tokio::select! {
        v6 = &mut v6 => {
            let patience = if v6.is_ok() { FAMILY_PATIENCE } else { Duration::MAX };
            (Some(v6), timeout(patience, v4).await.ok())
        }
        v4 = &mut v4 => {
            let patience = if v4.is_ok() { FAMILY_PATIENCE } else { Duration::MAX };
            (timeout(patience, v6).await.ok(), Some(v4))
        }
    };
    let mut found = Vec::new();
    let mut why = None;
    for answer in [v6, v4].into_iter().flatten() {
        match answer {
            Ok(lookup) => found.extend(lookup.answers().iter().filter_map(|record| match &record.data {
                RData::AAAA(ip) => Some(SocketAddr::new(ip.0.to_canonical(), port)),
                RData::A(ip) => Some(SocketAddr::new(ip.0.into(), port)),
                _ => None,
            })),
            Err(error) => why = Some(error.to_string()),
        }
    }
    if found.is_empty() { Err(why.unwrap_or_else(|| "no address".to_owned())) } else { Ok(found) }
}

/// The SRV records of a service; none is no error: most names have none.
async fn services(resolver: &TokioResolver, name: &str) -> Vec<SRV> {
    match resolver.srv_lookup(format!("{}.", name.trim_end_matches('.'))).await {
        Ok(lookup) => {
            let records = lookup.answers().iter().filter_map(|record| match &record.data {
                RData::SRV(service) => Some(service.clone()),
                _ => None,
            });
            records.collect()
        }
        Err(error) => {
            tracing::debug!(name, %error, "no SRV records");
            Vec::new()
        }
    }
}

async fn of_services(resolver: &TokioResolver, services: Vec<SRV>) -> Result<Vec<SocketAddr>, String> {
    // RFC 2782: "A Target of "." means that the service is decidedly not available at this domain."
    if let [only] = services.as_slice()
        && only.target.is_root()
    {
        return Err("its owner says in DNS that it takes no H.323 calls".to_owned());
    }
    let mut lookups = tokio::task::JoinSet::new();
    for (place, service) in in_order(services, random).into_iter().take(MAX_TARGETS).enumerate() {
        let resolver = resolver.clone();
        lookups.spawn(async move {
            let host = service.target.to_ascii();
            (place, addresses(&resolver, &host, service.port).await.map_err(|why| format!("{host}: {why}")))
        });
    }
    let mut found = lookups.join_all().await;
    found.sort_by_key(|(place, _)| *place);
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for (_, answer) in found {
        match answer {
            Ok(addresses) => targets.push(addresses),
            Err(why) => errors.push(why),
        }
    }
    if targets.is_empty() { Err(errors.join("; ")) } else { Ok(spread(targets)) }
}

/// RFC 2782: by priority; among equals by lot, each with its weight. `draw` gives a number up to and with its argument.
fn in_order(mut services: Vec<SRV>, mut draw: impl FnMut(u32) -> u32) -> Vec<SRV> {
    let mut ordered = Vec::with_capacity(services.len());
    // Weight 0 first within a priority: it is drawn by a 0 alone.
    services.sort_by_key(|service| (service.priority, service.weight));
    while let Some(first) = services.first() {
        let equals = services.iter().take_while(|service| service.priority == first.priority);
        let weights: Vec<u32> = equals.map(|service| u32::from(service.weight)).collect();
        let drawn = draw(weights.iter().fold(0, |sum: u32, weight| sum.saturating_add(*weight)));
        let mut sum = 0u32;
        let chosen = weights.iter().position(|weight| {
            sum = sum.saturating_add(*weight);
            sum >= drawn
        });
        ordered.push(services.remove(chosen.unwrap_or(0)));
    }
    ordered
}

fn random(most: u32) -> u32 {
    let mut octets = [0; 8];
    // Without random numbers the first of equals is as good as any.
    if let Err(error) = getrandom::fill(&mut octets) {
        tracing::debug!(%error, "no random numbers for SRV weights");
    }
    // The remainder's bias is below 2^-32.
    (u64::from_ne_bytes(octets) % (u64::from(most) + 1)) as u32
}

/// The addresses of targets, those of a target by turns of its two families (RFC 8305 clause 4), each once.
fn spread(targets: impl IntoIterator<Item = Vec<SocketAddr>>) -> Vec<SocketAddr> {
    let mut order: Vec<SocketAddr> = Vec::new();
    for target in targets {
        let first_is_v6 = target.first().is_some_and(SocketAddr::is_ipv6);
        let (first, second): (Vec<_>, Vec<_>) =
            target.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
        for turn in 0..first.len().max(second.len()) {
            for address in [first.get(turn), second.get(turn)].into_iter().flatten() {
                if !order.contains(address) && order.len() < MAX_ADDRESSES {
                    order.push(*address);
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::*;

    fn service(priority: u16, weight: u16, port: u16) -> SRV {
        SRV::new(priority, weight, port, Name::root())
    }

    fn ports(services: &[SRV]) -> Vec<u16> {
        services.iter().map(|service| service.port).collect()
    }

    #[test]
    fn a_lower_priority_number_comes_first_whatever_the_lot_says() {
        let all = vec![service(20, 9, 1), service(10, 1, 2), service(30, 0, 3)];
        for drawn in [0, u32::MAX] {
            assert_eq!(ports(&in_order(all.clone(), |most| drawn.min(most))), [2, 1, 3]);
        }
    }

    #[test]
    fn among_equals_the_running_sum_of_weights_decides() {
        // The example's sums: 0, 10, 40, 100.
        let all = vec![service(1, 30, 3), service(1, 0, 1), service(1, 60, 4), service(1, 10, 2)];
        for (drawn, first) in [(0, 1), (1, 2), (10, 2), (11, 3), (40, 3), (41, 4), (100, 4)] {
            let mut lots = vec![drawn];
            let order = in_order(all.clone(), |most| lots.pop().unwrap_or(most));
            assert_eq!(ports(&order).first(), Some(&first), "drawn {drawn}");
            assert_eq!(order.len(), 4);
        }
    }

    #[test]
    fn weights_are_shares() {
        let all = vec![service(1, 90, 1), service(1, 10, 2)];
        let first = (0..2_000).filter(|_| ports(&in_order(all.clone(), random)).first() == Some(&1)).count();
        assert!((1_650..1_950).contains(&first), "{first} of 2000 for a share of nine tenths");
    }

    #[test]
    fn families_take_turns_within_a_target() {
        let v4 = |n: u8| SocketAddr::from(([192, 0, 2, n], 1720));
        let v6 = |n: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 1720));
        let targets = [vec![v6(1), v6(2), v6(3), v4(1)], vec![v4(2), v4(1), v6(4)]];
        assert_eq!(spread(targets), [v6(1), v4(1), v6(2), v6(3), v4(2), v6(4)]);
        let many: Vec<_> = (0..200).map(v4).collect();
        assert_eq!(spread([many]).len(), MAX_ADDRESSES);
    }
}
