"""What the demo needs and no product would have: made-up customers and a simulated rented provider.

It covers the traffic (`desk`) and the stand-in for a rented model (`provider`). Nothing in here is part of the
pipeline itself, and nothing in the pipeline imports it.
"""
