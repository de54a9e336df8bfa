//! Audio codecs over slices, resampling and tones; no allocation after construction.
