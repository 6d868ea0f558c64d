"""The stream machinery, and what flows through it: state, windows, features, the simulator."""
