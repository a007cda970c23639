"""Physical models: air, thermal expansion, the laser interferometer."""
