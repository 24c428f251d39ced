"""The driver of the stages: reads the store, runs a stage, writes down what came of it, durably."""
