//! Sans-IO H.323 call control: told the time, handed bytes.
