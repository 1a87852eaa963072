"""Read models: what commands, reports and the dispatcher ask of several tables at once. Nothing here writes."""
