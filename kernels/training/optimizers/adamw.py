"""adamw: adam, with a weight decay that is not 0 where nothing else is asked for.

    W -= rate decay W  of the weights (../regularise.py), then the step of adam

Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019; the decay's value as in torch.optim.AdamW.
"""

from __future__ import annotations

from shoal.kernels.training.optimizers import adam

HYPERS, STATES, BOUNDED, numbers, update = adam.HYPERS, adam.STATES, adam.BOUNDED, adam.numbers, adam.update
WEIGHT_DECAY = 0.01
