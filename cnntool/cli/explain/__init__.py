"""`cnntool explain`: the numbers of one step, from the engine that does the work."""

from __future__ import annotations

import click

from cnntool.cli.help import LazyGroup

SUBJECTS = {
    "convolve": "One pixel of a filtered image: window, kernel, products, sum, range.",
    "conv1d": "A small signal under a kernel: every sum, forward and backward.",
    "pool": "One pixel of a pooled image: who wins or weighs what, where the gradient goes.",
    "padding": "Output sizes with the numbers filled in, windows drawn, receptive fields.",
    "invariance": "How much feature maps and pooled maps change when the image shifts.",
    "sharing": "Parameters and connections: dense, locally connected, convolution.",
    "prediction": "The exact sum that an answer is: pixels, biases by layer; shares of a text.",
    "bptt": "How a gradient vanishes or explodes, step by step back through time.",
    "lstm": "The gates, cell and hidden state of one unit, token by token.",
    "attention": "What a decoder looks at before it says a token: scores, softmax, context.",
    "beam": "How a beam search went: what was kept, what ended, what was dropped and why.",
}


@click.group(
    "explain",
    cls=LazyGroup,
    commands_help=SUBJECTS,
    package="cnntool.cli.explain",
    epilog="""\b
Examples:
  cnntool explain convolve sample_images/brick.png --kernel sobel --at 149,190
  cnntool explain conv1d --signal 1,2,3,4,5 --kernel 1,0,-1 --padding 1
  cnntool explain pool sample_images/coffee.jpg --at 177,121 --mode max --size 2
  cnntool explain padding 32 conv:5 max:2 conv:5 max:2
  cnntool explain invariance sample_images/coffee.jpg -k sobel --pool max:2 --shifts 0..4
  cnntool explain sharing 32 --kernel 5 --maps 6
  cnntool explain prediction digits.npz sample_images/brick.png --against 7
  cnntool explain bptt words.npz text.txt --compare rnn,lstm,gru
  cnntool explain lstm words.npz --text 'the king is dead'
  cnntool explain attention say.npz --text phone --step 2
  cnntool explain beam say.npz --text phone --beam 3""",
)
def command() -> None:
    """Show the numbers of one step: which window, which products, which sum, which gradient.

    They come from the engine that does the work. Tables go to stdout; --json prints every number.
    """
