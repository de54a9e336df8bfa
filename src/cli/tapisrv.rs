//! `offhook tapisrv`: a broker in a process of its own, until Ctrl-C; and certificates for machines that use each other's.
//!
//! In: a configuration file, or the options of one H.323 line. Out: a served socket; a line of text or of JSON for what
//! happens. Not here: the broker's parts (`offhook::tapisrv`).

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use offhook::H323Config;
use offhook::tapisrv::{
    Happening, ProviderEntry, Providers, ServerEvent, Tapisrv, TapisrvConfig, TlsFiles, check, h323,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::args::SignallingArgs;
use super::call::Interrupt;
use super::phone::SIGNALLING;
use super::values::listen_address;
use super::{Failure, Outcome, leg, say};

#[derive(Debug, Args)]
pub(crate) struct TapisrvArgs {
    /// The socket that applications connect to; by default $XDG_RUNTIME_DIR/offhook/tapisrv.sock (without the variable
    /// under /run/user/UID, root: /run, else in /tmp/offhook-UID)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Take providers, certificates and limits from this file (docs/tapisrv.md) in place of one H.323 line
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["listen", "no_h323"], conflicts_with_all = SIGNALLING)]
    config: Option<PathBuf>,
    /// Look whether the configuration is sound, and leave
    #[arg(long)]
    check: bool,
    /// Print JSON, a line for everything that happens
    #[arg(long)]
    json: bool,
    /// Where the H.323 line takes calls
    #[arg(long, value_name = "ADDR", value_parser = listen_address, default_value = "[::]:1720")]
    listen: SocketAddr,
    /// No H.323 line
    #[arg(long)]
    no_h323: bool,
    #[command(flatten)]
    machines: MachineArgs,
    #[command(flatten)]
    signalling: SignallingArgs,
}

/// Other machines.
#[derive(Debug, Args)]
#[command(next_help_heading = "Other machines")]
struct MachineArgs {
    /// Let other machines' brokers use these lines: those whose certificate the CA signed
    #[arg(long, value_name = "ADDR", requires = "tls_cert")]
    remote_listen: Option<SocketAddr>,
    /// Use the lines of another machine's broker, which its certificate has to call NAME; may be given several times
    #[arg(long, value_name = "NAME=HOST:PORT", value_parser = machine, requires = "tls_cert")]
    remote: Vec<(String, String)>,
    /// This machine's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_ca")]
    tls_key: Option<PathBuf>,
    /// The CA that signs every machine's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,
    /// Make a CA and a certificate for each --machine in this directory, say how to use them, and leave
    #[arg(long, value_name = "DIR")]
    make_certs: Option<PathBuf>,
    /// A machine's name, for --make-certs; may be given several times
    #[arg(long, value_name = "NAME", requires = "make_certs", default_values = ["near", "far"])]
    machine: Vec<String>,
}

fn machine(text: &str) -> Result<(String, String), String> {
    let (name, address) = text.split_once('=').ok_or("NAME=HOST:PORT")?;
    machine_name(name)?;
    offhook::tapisrv::check_address(address)?;
    Ok((name.to_owned(), address.to_owned()))
}

fn machine_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(legal) && !name.starts_with(['-', '.']) {
        Ok(())
    } else {
        Err("a machine's name is 1 to 64 letters, digits, dots and hyphens".to_owned())
    }
}

pub(super) async fn run(args: TapisrvArgs) -> Result<Outcome, Failure> {
    if let Some(dir) = &args.machines.make_certs {
        return make_certs(dir, &args.machines.machine);
    }
    let mut providers = Providers::usual();
    let config = configure(&args, &mut providers)?;
    if config.providers.is_empty() {
        return Err(Failure::new("no provider: an H.323 line, --remote or --config FILE"));
    }
    check(&config, &providers).map_err(Failure::new)?;
    if args.check {
        let n = config.providers.len();
        let providers = config.providers.iter().map(|p| json!({ "kind": p.kind, "name": p.name }));
        if args.json {
            let all: Vec<_> = providers.collect();
            say(format_args!("{}\n", json!({ "event": "checked", "providers": all })))?;
        } else {
            say(format_args!("sound: {n} provider{}\n", if n == 1 { "" } else { "s" }))?;
        }
        return Ok(Outcome::Done);
    }
    // Caught before anything is there that would have to be cleared away.
    let mut interrupt = Interrupt::new();
    let (tell, mut happenings) = mpsc::unbounded_channel();
    let json = args.json;
    let starting = Tapisrv::start(config, &providers, move |what| {
        // The receiver lives as long as the broker.
        let _ = tell.send(what);
    });
    let served = tokio::select! {
        served = starting => served.map_err(Failure::new)?,
        () = interrupt.wait() => return Ok(Outcome::Interrupted),
    };
    let listening = json!({
        "event": "listening",
        "socket": served.socket(),
        "remote": served.remote().map(|at| at.to_string()),
    });
    let remote = served.remote().map_or_else(String::new, |at| format!(", for other machines on {at}"));
    let mut result = Ok(());
    while let Ok(what) = happenings.try_recv() {
        result = result.and_then(|()| show(json, what));
    }
    result = result.and_then(|()| {
        tell_line(json, format_args!("serving {}{remote}", served.socket().display()), &listening)
    });
    while result.is_ok() {
        tokio::select! {
            Some(what) = happenings.recv() => result = show(json, what),
            () = interrupt.wait() => break,
        }
    }
    served.shutdown().await;
    while let Ok(what) = happenings.try_recv() {
        result = result.and_then(|()| show(json, what));
    }
    result?;
    tell_line(json, format_args!("ended"), &json!({ "event": "ended" }))?;
    Ok(Outcome::Done)
}

/// The configuration of the file, or of the options; and what both have to say.
fn configure(args: &TapisrvArgs, providers: &mut Providers) -> Result<TapisrvConfig, Failure> {
    let mut config = match &args.config {
        Some(file) => TapisrvConfig::read(file).map_err(Failure::new)?,
        None => TapisrvConfig::default(),
    };
    let entry = |kind: &str, name: &str| ProviderEntry {
        kind: kind.to_owned(),
        name: name.to_owned(),
        settings: Default::default(),
    };
    if args.config.is_none() && !args.no_h323 {
        let mut base = H323Config { listen: args.listen, ..H323Config::default() };
        base.call.display.clone_from(&args.signalling.display);
        let line = leg::signalling(&args.signalling, base)?;
        providers.register("h323-line", move |_| Ok(h323(line.clone())));
        config.providers.push(entry("h323-line", "h323"));
    }
    if let (Some(certificate), Some(key), Some(ca)) =
        (&args.machines.tls_cert, &args.machines.tls_key, &args.machines.tls_ca)
    {
        config.tls = Some(TlsFiles { certificate: certificate.clone(), key: key.clone(), ca: ca.clone() });
    }
    for (name, address) in &args.machines.remote {
        let mut remote = entry("remote", name);
        remote.settings.insert("address".to_owned(), address.as_str().into());
        config.providers.push(remote);
    }
    config.remote_listen = args.machines.remote_listen.or(config.remote_listen);
    config.socket = args.socket.clone().or(config.socket);
    Ok(config)
}

fn tell_line(json: bool, text: std::fmt::Arguments<'_>, value: &Value) -> Result<(), Failure> {
    if json { say(format_args!("{value}\n")) } else { say(format_args!("{text}\n")) }
}

fn show(json: bool, what: Happening) -> Result<(), Failure> {
    match what {
        Happening::Provider(name, lines) => {
            for line in lines {
                let value = json!({
                    "event": "line",
                    "device": line.device.0,
                    "provider": name,
                    "line": line.line_name,
                    "machine": line.machine,
                    "media": line.has_msp,
                });
                let from = line.machine.map_or_else(String::new, |machine| format!(" of {machine}"));
                let text = format_args!("line {}{from}: {} ({name})", line.device.0, line.line_name);
                tell_line(json, text, &value)?;
            }
            Ok(())
        }
        Happening::Unavailable(name, why) => {
            let value = json!({ "event": "providerUnavailable", "provider": name, "why": why });
            tell_line(json, format_args!("{name} is not there yet: {why}"), &value)
        }
        Happening::Client(event) => {
            let (what, who, why) = match event {
                ServerEvent::Joined(who) => ("joined", who, None),
                ServerEvent::Lost(who) => ("lost", who, None),
                ServerEvent::Resumed(who) => ("resumed", who, None),
                ServerEvent::Left(who, why) => ("left", who, Some(why)),
            };
            let value = json!({
                "event": "client",
                "what": what,
                "name": who.name,
                "from": who.from,
                "remoteTsp": who.remote_tsp,
                "why": why,
            });
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            tell_line(json, format_args!("{} ({}) {what}{why}", who.name, who.from), &value)
        }
    }
}

/// A small CA, and a certificate and key for each machine.
fn make_certs(dir: &Path, machines: &[String]) -> Result<Outcome, Failure> {
    for name in machines {
        machine_name(name).map_err(|why| Failure(format!("{name:?}: {why}")))?;
    }
    let failed = |what: &Path| {
        let what = what.display().to_string();
        move |why: std::io::Error| Failure(format!("{what}: {why}"))
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    let mut ca = CertificateParams::new(Vec::new()).map_err(Failure::new)?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.distinguished_name.push(DnType::CommonName, "offhook machines");
    let key = KeyPair::generate().map_err(Failure::new)?;
    let ca = CertifiedIssuer::self_signed(ca, key).map_err(Failure::new)?;
    // What is there is somebody's: it is not replaced. Keys are this user's alone.
    let write = |name: String, text: String, mode: u32| {
        let path = dir.join(name);
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).map_err(failed(&path))
    };
    write("ca.pem".to_owned(), ca.pem(), 0o644)?;
    write("ca.key".to_owned(), ca.key().serialize_pem(), 0o600)?;
    for name in machines {
        let key = KeyPair::generate().map_err(Failure::new)?;
        let mut params = CertificateParams::new(vec![name.clone()]).map_err(Failure::new)?;
        params.distinguished_name.push(DnType::CommonName, name.as_str());
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &ca).map_err(Failure::new)?;
        write(format!("{name}.pem"), certificate.pem(), 0o644)?;
        write(format!("{name}.key"), key.serialize_pem(), 0o600)?;
    }
    let at = dir.display();
    say(format_args!("made in {at}: ca.pem, ca.key (keep it away from both machines)"))?;
    for name in machines {
        say(format_args!(", {name}.pem, {name}.key"))?;
    }
    say("\n")?;
    if let [near, .., far] = machines {
        say(format_args!(
            "on {far}:  offhook tapisrv --remote-listen 0.0.0.0:7740 --tls-cert {far}.pem --tls-key {far}.key --tls-ca ca.pem\n\
             on {near}: offhook tapisrv --no-h323 --remote {far}=HOST:7740 --tls-cert {near}.pem --tls-key {near}.key --tls-ca ca.pem\n"
        ))?;
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::machine;

    #[test]
    fn a_machine_is_a_name_and_an_address() {
        assert_eq!(machine("far=192.0.2.7:7740"), Ok(("far".to_owned(), "192.0.2.7:7740".to_owned())));
        for bad in ["far", "far=host", "=h:1", "a b=h:1", "-x=h:1", "../x=h:1"] {
            assert!(machine(bad).is_err(), "{bad}");
        }
    }
}
