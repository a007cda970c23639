"""Importers: other people's recordings become runs."""
