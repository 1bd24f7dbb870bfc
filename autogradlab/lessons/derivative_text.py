"""The text that the small GPT of lesson 15 learns to continue; written for it."""

TEXT = """\
A derivative says how fast a number moves when another number moves. Turn the first one a little,
look at the second one, and divide: that is the whole idea. If the second one grows three times
as fast as the first one, the derivative is three. If it does not move, the derivative is zero.
If it goes down, the derivative is negative.
A function is a chain of small steps. Each step takes a number and makes another number. Each
step has a small derivative of its own, and the derivative of the chain is the product of the
small ones. So it is enough to know the small steps: a sum, a product, a power, a sine. Whoever
knows them can follow any chain.
A gradient is a list of derivatives. It has one number for each weight. It points to where the
loss grows, so we walk the other way. We take a small step, look again, and take the next one.
That is all that learning is: look, step, look, step. The steps are small, and there are many of
them.
Backward is the clever way to look. Start at the loss and ask each step what it sends to the
numbers it was made of. A sum sends the same number to both sides. A product sends to each side
what came in, times the other side. Where two paths meet, what they bring is added. When all
steps have been asked, each weight knows how much it counts, and the price was the price of a few
forward passes.
A network is a long chain with many weights. At first the weights are random and the answers are
wrong. The loss says how wrong they are. The gradient says what to do about it. After many small
steps the answers are better, and nobody has told the network how to do it. We only told it how
to look.
""".replace("\n", " ")
