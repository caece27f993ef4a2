"""How a network learns: optimizers, schedules of the learning rate, metrics, baselines."""
