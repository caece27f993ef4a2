"""Layers with parameters, networks of them, and the file that keeps one."""
