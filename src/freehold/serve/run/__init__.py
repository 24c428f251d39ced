"""The driver of engines: one for each model that some route needs."""
