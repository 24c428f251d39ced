"""The trivial baselines that stand beside the owned model."""
