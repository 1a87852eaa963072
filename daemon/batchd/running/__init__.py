"""What every leg shares: retrying, the circuit breaker, wake-ups, and what is told while a job is held."""
