"""Faster ways to the same results: layouts, threads and memory used again."""
