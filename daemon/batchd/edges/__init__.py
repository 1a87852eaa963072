"""The only rooms that touch files, SQL, the SDK, sockets and time."""
