//! Sans-IO RTP and RTCP sessions (RFC 3550).
