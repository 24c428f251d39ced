"""Ingest: calls that others have recorded become calls of ours.

Not covered so far: putting them into the record. Reading them is all that this stage does yet.
"""
