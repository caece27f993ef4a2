"""The numbers of one step, from the engine that does the work. No Click, no Rich."""
