"""Streams of samples as numbered, checked binary frames (see `codec`): any instrument that gives rows at a fixed rate."""
