"""The beat, live: from beat and downbeat activations to a clock that says when beats fall."""
