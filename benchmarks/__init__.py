"""Procedures: what to move, what to read, how to evaluate it; import as precision.benchmarks."""
