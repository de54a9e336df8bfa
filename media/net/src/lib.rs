//! UDP sockets of the media side: ports, addresses, DSCP, kernel time stamps.
