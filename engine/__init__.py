"""Everything real time: audio in, features, inference, decoding, scheduling, MIDI out. No torch."""
