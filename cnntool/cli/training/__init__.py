"""What `cnntool train-cnn` is made of, module by module."""
