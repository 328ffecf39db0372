"""A library with generators whose seeds come from the system, as sympy has one."""

import random

import numpy as np

plain = random.Random()
generator = np.random.default_rng()
legacy = np.random.RandomState()
