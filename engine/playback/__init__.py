"""The song and the piano, heard here: outputs, monitor, synthesizers."""
