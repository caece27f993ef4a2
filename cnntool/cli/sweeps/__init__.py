"""Parts of `cnntool sweep`: settings, runs, processes, and what came of them."""
