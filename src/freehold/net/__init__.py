"""Requests that Freehold itself sends to providers, outside the gateway."""
