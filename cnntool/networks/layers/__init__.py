"""The layers of a network: each the operation of the engine that it is named after."""
