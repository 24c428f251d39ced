"""The drivers of the record: who delivers the journal, and how calls are found again."""
