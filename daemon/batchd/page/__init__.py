"""The page: what waits for a person, jobs, batches and costs, seen with a browser; read-only until told.

A process of its own, which reads the database and the outbox and writes neither. What a person does here is done by the
same commands as on a terminal.
"""
