"""What texts hold: templates, fingerprints, dates, languages, schemas, and how answers are compared. Pure functions."""
