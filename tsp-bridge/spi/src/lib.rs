//! Provider interfaces of the bridge: TSPI, MSPI, the application link and opaque buffers.
