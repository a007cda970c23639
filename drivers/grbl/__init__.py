"""GRBL 1.1 and grblHAL motion controllers."""
