"""Running text as numbers: vocabularies, and where a text lies."""
