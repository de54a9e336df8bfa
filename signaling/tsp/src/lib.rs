//! The H.323 TAPI service provider: call machines and their TCP sockets behind the SPI.
