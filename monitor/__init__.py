"""Time, state, wiring and the outside face of Vigía."""
