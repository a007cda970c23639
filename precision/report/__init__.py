"""Charts, templates and writers of the report."""
