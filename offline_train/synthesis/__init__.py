"""Songs made of notes: bands, pianos and voices, rendered and mixed."""
