"""The driver of freezing: a task's calls become a registered dataset."""
