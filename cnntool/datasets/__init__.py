"""Pictures with their classes: the built-in digits, IDX, CIFAR-10, .npz and folders of images."""
