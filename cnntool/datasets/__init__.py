"""What networks learn from: images, texts and sequences, read, held out, and fed in batches."""
