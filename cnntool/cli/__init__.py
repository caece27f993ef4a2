"""The command line: one module a command, over functions that know nothing of Click."""
