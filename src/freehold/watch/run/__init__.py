"""The drivers of the watch: they read what moved routes answered, and change routes."""
