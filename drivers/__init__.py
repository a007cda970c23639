"""Drivers, simulators and the virtual lab; import as precision.drivers."""
