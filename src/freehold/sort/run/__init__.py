"""The drivers of sorting: new calls get their tasks, and people edit tasks."""
