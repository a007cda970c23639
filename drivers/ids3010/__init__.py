"""attocube IDS3010 displacement interferometer."""
