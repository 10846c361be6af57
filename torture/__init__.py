"""Attacks, kills and faults in their long form: `make torture`."""
