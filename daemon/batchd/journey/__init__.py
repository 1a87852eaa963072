"""The legs of a request, from the inbox to the outbox."""
