"""Comparisons: what people and a judge say about two answers to one call."""
