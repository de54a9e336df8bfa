//! The TAPISRV role: providers, lines, calls, clients and the routing of opaque buffers.
