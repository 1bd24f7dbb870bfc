"""Torch's functions and methods: how they take their arguments, and what each is made of.

A function here checks its arguments in torch's words, brings dimensions and shapes to one form, and
calls primitives of `derivatives/`, in the combination eager torch uses, so that the graphs are the
same. Nothing here has a derivative of its own. Each module of a family says by name what it offers
to `torch` and to `Tensor`; `methods` attaches the latter.
"""

from . import methods, out

FUNCTIONS = {
    name: getattr(family, name) for family in methods.FAMILIES for name in family.FUNCTIONS.split()
}
FUNCTIONS |= {
    name: out.with_out(FUNCTIONS[name]) for name in f"{out.PRODUCTS} {out.OTHERS}".split()
}
FUNCTIONS |= {name: FUNCTIONS[of] for name, of in methods.ALIASES.items()}
