"""The layers of a network: each the operation of the engine that it is named after.

The table of those that a text may name, ``LAYERS``, stands in :mod:`cnntool.networks.spec`.
"""
