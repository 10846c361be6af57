"""The measured comparisons; `make bench` runs them all."""
