"""Recordings as samples: decode, resample, cut into windows, write stems."""
