//! The private language of the offhook TSP/MSP pair.
