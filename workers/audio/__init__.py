"""Audio processing: decode, resample, cut into windows, write stems."""
