"""`cnntool train-cnn`: train a network on labelled images and keep it in one file."""

from __future__ import annotations

from cnntool.cli.training.options import ImageOptions, trainer


@trainer(
    "train-cnn",
    ImageOptions,
    """\
DATA is one of:
  digits             the built-in set: 1,797 handwritten digits of 8 x 8 pixels
  a folder           with a sub-folder of images a class; these may stand in train/, val/, test/
  a folder of files  of MNIST (IDX) or CIFAR-10 (.bin)
  an archive         .npz with x (N, H, W) or (N, H, W, C), and y (N,)

\b
Layers, in the order of the data, with ; between them or one a line:
  conv F HxW [stride N] [pad N] [groups N] [connections ROWS] [no-bias], local F HxW
  max, average, lp, gaussian N [stride N]; subsample N; adaptive-max N; global-average; pyramid 1,2
  relu, tanh, scaled-tanh, sigmoid; batch-norm; dropout P; flatten; dense N
  columns (of maps, as steps in time); lstm, gru, rnn H [both]; last, mean-steps, max-steps
""",
    """\
  cnntool train-cnn digits
  cnntool train-cnn digits -o digits.npz --epochs 20 --augment shift=1,rotate=10
  cnntool train-cnn photos/ --resize 64x64 --patience 5 --log photos.jsonl
  cnntool train-cnn digits --layers 'conv 8 3x3; relu; max 2; dense 10' --dry-run
  cnntool train-cnn --resume model.last.npz --epochs 30
""",
)
def command(options: ImageOptions) -> int:
    """Train a convolutional network on the labelled images of DATA.

    The model with the best validation loss is kept in one file, that `cnntool predict` and other
    commands read; beside it, the run as it stands, to go on with.
    """
    from cnntool.cli.training.images import plan_images
    from cnntool.cli.training.session import train

    return train("train-cnn", plan_images, options)
