"""The statistics of a proof: tests, confidence sequences, intervals, and the two contracts."""
