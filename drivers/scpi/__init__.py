"""SCPI instruments: environment sensors through VISA."""
