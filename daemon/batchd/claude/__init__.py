"""What only Claude's API knows: its parameters, models, result lines, stop reasons, turns and prices. Pure."""
