"""Labelled images: folders, archives and IDX files as arrays, prepared for a network."""
