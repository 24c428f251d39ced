"""The drivers of routes: what is in force now, and how it is changed."""
