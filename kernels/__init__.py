"""Kernels: arrays in, arrays out; no device, no standard, no file. Import as precision.kernels."""
