"""What the commands `cnntool train-*` are made of, module by module."""
