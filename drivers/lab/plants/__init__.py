"""Plants whose numbers are published, as simulated devices: exact discretisation, seeded noise, and the truth that estimators are scored against."""
