"""The run directory: manifest, capture, events, index, comparison."""
