"""What was learned: statistics of filters, saliency, best patches, embeddings."""
