"""The simulated world: countries, merchants, cards and their holders, and when people pay."""
