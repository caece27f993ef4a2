"""Sequences with answers: labelled, tagged, translated, and pictures that are said in words."""
