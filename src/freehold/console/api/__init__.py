"""The admin API: what the console shows, as JSON for programs, and the way in for feedback."""

from freehold.console.api.endpoint import API_PATH, api_endpoints, is_open_path
from freehold.console.api.openapi import openapi
from freehold.console.login import LetIn

__all__ = ["API_PATH", "LetIn", "api_endpoints", "is_open_path", "openapi"]
