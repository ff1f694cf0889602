"""The machine: paths, files, extras, calls with a bound, the boundary of a command."""
