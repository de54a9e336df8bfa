//! Sound servers of a test's own: PulseAudio, PipeWire, JACK, each with cards of no hardware.
//!
//! Environment variables choose the server, and only a child process can be given any: each test runs itself again.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::support::until;

/// Marks the child; the scratch directory of its server.
const SCRATCH: &str = "OFFHOOK_TEST_SOUND";

/// Speaker, microphone, and defaults, as both servers that speak PulseAudio's protocol are told.
const CARDS: [&[&str]; 5] = [
    &["load-module", "module-null-sink", "sink_name=spk", "rate=48000", "channels=2"],
    &["load-module", "module-null-sink", "sink_name=mic", "rate=48000", "channels=2"],
    &["load-module", "module-remap-source", "master=mic.monitor", "source_name=micin"],
    &["set-default-sink", "spk"],
    &["set-default-source", "micin"],
];

/// Which.
pub(crate) enum Server {
    /// Debian: pulseaudio, pulseaudio-utils.
    PulseAudio,
    /// Debian: pipewire, pipewire-bin, pipewire-pulse, wireplumber, libspa-0.2-modules; pactl of pulseaudio-utils.
    /// cpal reaches it by PulseAudio's protocol, as on most desktops.
    PipeWire,
    /// Debian: jackd2 (with jack_lsp), and libasound2-plugins, by which cpal's ALSA host reaches it.
    Jack,
}

/// A process of our own, ended with the test.
pub(crate) struct Daemon(pub(crate) Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `test` again in a child with a server of its own; `true` in that child.
pub(crate) fn with(server: &Server, test: &str) -> bool {
    if std::env::var_os(SCRATCH).is_some() {
        return true;
    }
    if let Some(missing) = server.programs().iter().find(|program| !is_installed(program)) {
        eprintln!("\n*** SKIPPED: {test}: no {missing} here (apt-get install {}) ***\n", server.packages());
        assert!(std::env::var_os("CI").is_none(), "{missing} is missing, and CI must not skip");
        return false;
    }
    let dir = tempfile::tempdir().unwrap();
    let daemons = server.start(dir.path());
    let mut own = Command::new(std::env::current_exe().unwrap());
    own.args(["--exact", test, "--test-threads=1", "--nocapture"]).env(SCRATCH, dir.path());
    let status = in_scratch(&mut own, dir.path()).status().unwrap();
    drop(daemons);
    assert!(status.success());
    false
}

fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|dir| dir.join(program).is_file());
    // A plug-in of alsa-lib is no program, and has no one place.
    found || (program.ends_with(".so") && has_plug_in(program))
}

fn has_plug_in(name: &str) -> bool {
    let Ok(dirs) = std::fs::read_dir("/usr/lib") else { return false };
    let in_dir = |dir: PathBuf| dir.join("alsa-lib").join(name).is_file();
    in_dir(PathBuf::from("/usr/lib")) || dirs.flatten().any(|dir| in_dir(dir.path()))
}

impl Server {
    fn programs(&self) -> &'static [&'static str] {
        match self {
            Self::PulseAudio => &["pulseaudio", "pactl"],
            Self::PipeWire => &["pipewire", "wireplumber", "pipewire-pulse", "pactl"],
            Self::Jack => &["jackd", "jack_lsp", "libasound_module_pcm_jack.so"],
        }
    }

    fn packages(&self) -> &'static str {
        match self {
            Self::PulseAudio => "pulseaudio pulseaudio-utils",
            Self::PipeWire => {
                "pipewire pipewire-bin pipewire-pulse wireplumber libspa-0.2-modules pulseaudio-utils"
            }
            Self::Jack => "jackd2 libasound2-plugins",
        }
    }

    fn start(&self, dir: &Path) -> Vec<Daemon> {
        match self {
            Self::PulseAudio => {
                let script = dir.join("ci.pa");
                std::fs::write(&script, "load-module module-native-protocol-unix\n").unwrap();
                let mut command = Command::new("pulseaudio");
                command.args(["-n", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no"]);
                command.args(["--high-priority=no", "-F"]).arg(&script);
                let daemon = spawn(&mut command, dir);
                plug_in(dir);
                vec![daemon]
            }
            Self::PipeWire => {
                configure_pipewire(dir);
                let mut daemons = vec![spawn(&mut Command::new("pipewire"), dir)];
                until("PipeWire", || dir.join("pipewire-0").exists());
                daemons.push(spawn(&mut Command::new("wireplumber"), dir));
                daemons.push(spawn(&mut Command::new("pipewire-pulse"), dir));
                plug_in(dir);
                daemons
            }
            Self::Jack => {
                std::fs::write(dir.join(".asoundrc"), ASOUNDRC).unwrap();
                vec![start_jack(dir)]
            }
        }
    }
}

/// alsa-lib's way to JACK: the server's loopback gives back what it is played.
const ASOUNDRC: &str = "pcm.jackcard {
  type jack
  playback_ports { 0 loopback:playback_1 1 loopback:playback_2 }
  capture_ports { 0 loopback:capture_1 1 loopback:capture_2 }
  hint { show on description \"JACK\" }
}
pcm.!default { type plug slave.pcm jackcard }
";

/// The server on a dummy card; it is up when this returns.
fn start_jack(dir: &Path) -> Daemon {
    let mut command = Command::new("jackd");
    command.args(["-r", "-n", "offhook-ci", "-L", "2", "-d", "dummy", "-r", "48000", "-p", "480"]);
    let daemon = spawn(command.args(["-C", "2", "-P", "2"]), dir);
    until("JACK", || {
        let mut list = Command::new("jack_lsp");
        let out = in_scratch(&mut list, dir).stderr(Stdio::null()).output();
        out.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("loopback:playback_1"))
    });
    daemon
}

/// No bus, no hardware, one quantum.
fn configure_pipewire(dir: &Path) {
    let config = dir.join(".config");
    let write = |path: &str, text: &str| {
        let path = config.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "pipewire/pipewire.conf.d/ci.conf",
        "context.properties={support.dbus=false clock.power-of-two-quantum=false default.clock.rate=48000 \
         default.clock.quantum=480 default.clock.min-quantum=32}\n",
    );
    write(
        "wireplumber/main.lua.d/51-ci.lua",
        "alsa_monitor.enabled=false; v4l2_monitor.enabled=false; libcamera_monitor.enabled=false; \
         default_access.properties[\"enable-flatpak-portal\"]=false\n",
    );
    write(
        "wireplumber/bluetooth.lua.d/51-ci.lua",
        "bluez_monitor.enabled=false; bluez_midi_monitor=bluez_midi_monitor or {}; bluez_midi_monitor.enabled=false\n",
    );
}

/// Loads the cards, once the server answers.
fn plug_in(dir: &Path) {
    let pactl = |args: &[&str]| {
        let mut command = Command::new("pactl");
        in_scratch(&mut command, dir).args(args).stderr(Stdio::null()).output()
    };
    until("the sound server", || pactl(&["info"]).is_ok_and(|out| out.status.success()));
    for args in CARDS {
        until(args[1], || pactl(args).is_ok_and(|out| out.status.success()));
    }
    until("its cards", || {
        pactl(&["list", "short", "sources"])
            .is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("micin"))
    });
}

fn spawn(command: &mut Command, dir: &Path) -> Daemon {
    Daemon(in_scratch(command, dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn in_scratch<'a>(command: &'a mut Command, dir: &Path) -> &'a mut Command {
    command
        .env("XDG_RUNTIME_DIR", dir)
        .env("XDG_CONFIG_HOME", dir.join(".config"))
        .env("HOME", dir)
        .env("PULSE_RUNTIME_PATH", dir.join("pulse"))
        .env("PULSE_SERVER", format!("unix:{}", dir.join("pulse/native").display()))
        .env("JACK_NO_AUDIO_RESERVATION", "1")
        .env("JACK_DEFAULT_SERVER", "offhook-ci")
        .env("JACK_NO_START_SERVER", "1")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
}

/// The scratch directory, in the child.
pub(crate) fn scratch() -> PathBuf {
    std::env::var_os(SCRATCH).map(PathBuf::from).unwrap()
}
