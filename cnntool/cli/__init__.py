"""The command line: a module or a folder a command, over functions that know nothing of Click."""
