"""A private LinuxCNC with simulated mechanics behind its servo output; see `launch.start`."""
