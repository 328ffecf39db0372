"""A library with generators whose seeds are given: the same numbers in every process."""

import random

import numpy as np

plain = random.Random(42)
seeded_later = random.Random()
seeded_later.seed("words")
generator = np.random.default_rng(42)
legacy = np.random.RandomState(42)
from_words = np.random.Generator(np.random.PCG64([1, 2, 3]))
