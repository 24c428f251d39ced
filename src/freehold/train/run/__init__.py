"""The driver of a training: a registered dataset becomes a registered model."""
