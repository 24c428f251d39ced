"""Gateway keys at work: who is let in, for what, and how much of a budget is left."""
