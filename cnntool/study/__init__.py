"""What was learned: statistics of filters, saliency, best patches, embeddings; and what kernel made
a picture of another."""
