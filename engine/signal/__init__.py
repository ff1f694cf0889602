"""Samples and their time: rings, the stream clock, resampling, level, tuning, gate, meters."""
