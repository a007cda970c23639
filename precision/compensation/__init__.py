"""Compensation: the table that makes an axis better, and the files in which controllers load it."""
