//! A serial port: opened, with an error that says what to do.
//!
//! In: the configuration. Out: a port of tokio's. Not here: what is said over it.

use std::io;

use tokio_serial::{DataBits, ErrorKind, FlowControl, Parity, SerialPortBuilderExt, SerialStream, StopBits};

use crate::config::PortConfig;

/// Opens the port of `config` for this process alone. Within a tokio runtime.
pub(crate) fn open(config: &PortConfig) -> Result<SerialStream, String> {
    let flow = if config.flow_control { FlowControl::Hardware } else { FlowControl::None };
    tokio_serial::new(&config.port, config.baud)
        .data_bits(DataBits::Eight)
        .parity(Parity::None)
        .stop_bits(StopBits::One)
        .flow_control(flow)
        .open_native_async()
        .map_err(|error| explain(&config.port, config.baud, &error))
}

fn explain(port: &str, baud: u32, error: &tokio_serial::Error) -> String {
    let text = &error.description;
    // The library names some errors by the number that the system has for them.
    let kind = match error.kind {
        ErrorKind::Io(kind) => kind,
        ErrorKind::NoDevice if std::path::Path::new(port).exists() => io::ErrorKind::ResourceBusy,
        ErrorKind::NoDevice => io::ErrorKind::NotFound,
        ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
        ErrorKind::Unknown => io::ErrorKind::Other,
    };
    match kind {
        io::ErrorKind::NotFound => format!("{port}: there is no such port; is the modem plugged in?"),
        io::ErrorKind::PermissionDenied => {
            format!(
                "{port}: permission denied; serial ports are for members of the group that owns them (often dialout)"
            )
        }
        io::ErrorKind::ResourceBusy => format!("{port}: in use by another program"),
        io::ErrorKind::InvalidInput => format!("{port}: does not do {baud} bit/s ({text})"),
        _ if text.contains("Not a typewriter") || text.contains("ioctl") => {
            format!("{port}: not a serial port ({text})")
        }
        _ => format!("{port}: {text}"),
    }
}
