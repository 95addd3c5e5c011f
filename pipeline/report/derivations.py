"""The mathematics that the kernels compute, in the assignment's order, with the names that the code has for it."""

from __future__ import annotations

from collections.abc import Sequence

from shoal.kernels.network.architecture import Architecture, Sum, every_layer
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.pipeline.report.document import Block, Formula, Section
from shoal.pipeline.report.readout_and_branches import branches, ridge
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.report.tables import Table

NAMES = [
    ["x", "x", "inputs of a sample: n_features numbers"],
    ["y, ŷ", "y, y_hat", "targets of a sample and outputs of the network: K = n_outputs numbers"],
    ["N", "n", "samples that a cost is taken over: all of the training split, or those of a mini-batch"],
    ["L", "", "dense layers, counted i = 1 to L; the last one is the output layer, whose activation is linear"],
    ["Wᵢ, bᵢ", "W, b", "weights (fan_out, fan_in) and biases (fan_out) of layer i"],
    ["aᵢ", "a", "what goes into layer i (fan_in numbers); a₁ = x"],
    ["zᵢ", "z", "what layer i makes of it before its activation (fan_out numbers)"],
    ["σ, σ′", "activate, differentiate", "activation and its derivative, element by element"],
    ["C", "half_mse", "the cost"],
    ["∂C/∂aᵢ, ∂C/∂zᵢ", "da, dz", "gradients of the cost, of the same shapes as aᵢ and zᵢ"],
    ["η", "learning_rate", "learning rate"],
    ["α", "alpha", "strength of the ridge penalty"],
]


def derivations(sweeps: Sequence[SweepResults], is_assignment: bool) -> list[Section]:
    """Notation, then a section for each derivation that the networks of these sweeps need.

    The assignment's own notation is mentioned where the study is the assignment's.
    """
    optimizers = {results.settings.optimizer for results in sweeps}
    found = [_notation(), _cost(is_assignment), _activations(is_assignment), _forward(), _backward(is_assignment)]
    found.append(_updates("adam" in optimizers))
    if "ridge" in optimizers:
        found.append(ridge())
    if any(has_branches(results) for results in sweeps):
        found.append(branches(is_assignment))
    return found


def has_branches(results: SweepResults) -> bool:
    """Whether a network of the sweep has branches that are summed."""
    networks = (Architecture.parse(text).layers for text in results.cells["architecture"])
    return any(isinstance(layer, Sum) for layers in networks for layer in every_layer(layers))


def _notation() -> Section:
    text = (
        "A symbol, its name in the code, and what it stands for. Vectors are columns, and a formula without an index n "
        "is for one sample. ⊙ multiplies element by element. In the code the samples stand side by side as the columns "
        "of `a`, `da` and `dz`."
    )
    return Section("Notation", [text, Table("", ["", "", ""], NAMES)])


def _cost(is_assignment: bool) -> Section:
    cost = Formula(
        'C = "half_mse" = 1/N sum_(n=1)^N 1/2 sum_(k=1)^K (hat(y)_(n k) - y_(n k))^2, quad quad '
        "(partial C) / (partial hat(y)_(n k)) = 1/N (hat(y)_(n k) - y_(n k))",
        "C = half_mse = (1/N) Σₙ ½ Σₖ (ŷₙₖ - yₙₖ)²,   ∂C/∂ŷₙₖ = (ŷₙₖ - yₙₖ) / N",
    )
    sum_form = Formula(
        'C_"sum" = 1/2 sum_(n=1)^N norm(y_n - hat(y)_n)^2 = N C, quad quad '
        '(partial C_"sum") / (partial hat(y)_n) = hat(y)_n - y_n',
        "C_sum = ½ Σₙ ‖yₙ - ŷₙ‖² = N C,   ∂C_sum/∂ŷₙ = ŷₙ - yₙ",
    )
    mse = Formula(
        '"mse" = 1/(N K) sum_(n=1)^N sum_(k=1)^K (hat(y)_(n k) - y_(n k))^2, quad quad "half_mse" = K/2 "mse"',
        "mse = 1/(N K) Σₙ Σₖ (ŷₙₖ - yₙₖ)²,   half_mse = (K/2) mse",
    )
    blocks: list[Block] = [
        "The quadratic cost is the mean over the samples of half the squared error. Only the term of sample n and "
        "output k depends on ŷₙₖ; the 2 of the square cancels the ½.",
        cost,
        f"{'The assignment writes' if is_assignment else 'Others write'} the sum over the samples instead of the mean:",
        sum_form,
        "All its derivatives are N times those of C. With the mean, a learning rate means the same whatever the number "
        "of samples. Evaluation reports the mean squared error without the ½:",
        mse,
        "Code: `kernels/network/cost.py`, `add_cost`, where `share` is 1/N and `dy` is ∂C/∂ŷ.",
    ]
    return Section("The cost and its derivative", blocks)


def _activations(is_assignment: bool) -> Section:
    formulas = [
        Formula("sigma(z) = z, quad quad sigma'(z) = 1", "linear: σ(z) = z,   σ′(z) = 1"),
        Formula(
            "sigma(z) = max(z, 0), quad quad sigma'(z) = cases(1 quad & a > 0, 0 quad & a = 0)",
            "relu: σ(z) = max(z, 0),   σ′(z) = 1 where a > 0, 0 where a = 0",
        ),
        Formula(
            "sigma(z) = (e^z - e^(-z)) / (e^z + e^(-z)), quad quad "
            "sigma'(z) = ((e^z + e^(-z))^2 - (e^z - e^(-z))^2) / (e^z + e^(-z))^2 = 1 - a^2",
            "tanh: σ(z) = (eᶻ - e⁻ᶻ) / (eᶻ + e⁻ᶻ),   σ′(z) = 1 - a²",
        ),
        Formula(
            "sigma(z) = 1 / (1 + e^(-z)), quad quad sigma'(z) = e^(-z) / (1 + e^(-z))^2 = a (1 - a)",
            "sigmoid: σ(z) = 1 / (1 + e⁻ᶻ),   σ′(z) = a (1 - a)",
        ),
    ]
    blocks: list[Block] = [
        "Every derivative can be written with the activation a = σ(z) alone, so the backward pass needs no z. In this "
        "order: linear, relu, tanh (by the quotient rule) and sigmoid.",
        *formulas,
        "relu has no derivative at z = 0. The code takes 0 there; "
        f"{'the assignment takes' if is_assignment else 'others take'} 1. It makes no difference: a "
        "random z is almost never 0, and behind another relu, where it often is, the derivative of that one is 0 too.",
        "Code: `kernels/network/activate.py`, `activate` and `differentiate`; each activation has a file of its own.",
    ]
    return Section("Activations and their derivatives", blocks)


def _forward() -> Section:
    formula = Formula(
        "a_1 = x, quad quad z_i = W_i a_i + b_i, quad quad a_(i+1) = sigma_i (z_i) quad (i = 1, ..., L), quad quad "
        "hat(y) = a_(L+1) = z_L",
        "a₁ = x,   zᵢ = Wᵢ aᵢ + bᵢ,   aᵢ₊₁ = σᵢ(zᵢ) for i = 1, ..., L,   ŷ = a of L + 1 = z of L",
    )
    blocks: list[Block] = [
        formula,
        "Code: `kernels/network/forward_backward.py`, `forward`, with the product in `kernels/matrix/products.py`.",
    ]
    return Section("Forward pass", blocks)


def _backward(is_assignment: bool) -> Section:
    chain = Formula(
        "(partial C) / (partial z_i) = (partial C) / (partial a_(i+1)) ⊙ sigma'_i (z_i), quad quad "
        "(partial C) / (partial a_i) = W_i^top (partial C) / (partial z_i) quad (i = L, ..., 1)",
        "∂C/∂zᵢ = ∂C/∂aᵢ₊₁ ⊙ σ′ᵢ(zᵢ),   ∂C/∂aᵢ = Wᵢᵀ ∂C/∂zᵢ for i = L, ..., 1",
    )
    blocks: list[Block] = [
        f"It starts from ∂C/∂ŷ{' (2b)' if is_assignment else ''}. The cost depends on aᵢ only through zᵢ, and on zᵢ "
        "only through aᵢ₊₁. The activation works element by element, so its Jacobian is diagonal; the Jacobian of zᵢ "
        "with respect to aᵢ is Wᵢ. The chain rule gives, layer by layer from the last to the first:",
        chain,
        "The last step gives ∂C/∂a₁ = ∂C/∂x, the derivative with respect to the input.",
        "Code: `kernels/network/forward_backward.py`, `backward`, with the product in `kernels/matrix/products.py`. "
        "The section on the gradient check compares it with numerical derivatives.",
    ]
    return Section("Backward pass", blocks)


def _updates(with_adam: bool) -> Section:
    gradients = Formula(
        "(partial C) / (partial W_i) = sum_(n=1)^N (partial C) / (partial z_(i,n)) a_(i,n)^top, quad quad "
        "(partial C) / (partial b_i) = sum_(n=1)^N (partial C) / (partial z_(i,n))",
        "∂C/∂Wᵢ = Σₙ ∂C/∂zᵢₙ aᵢₙᵀ,   ∂C/∂bᵢ = Σₙ ∂C/∂zᵢₙ",
    )
    descent = Formula(
        "W_i arrow.l W_i - eta (partial C) / (partial W_i), quad quad "
        "b_i arrow.l b_i - eta (partial C) / (partial b_i)",
        "Wᵢ ← Wᵢ - η ∂C/∂Wᵢ,   bᵢ ← bᵢ - η ∂C/∂bᵢ",
    )
    blocks: list[Block] = [
        "zᵢ = Wᵢ aᵢ + bᵢ is linear in Wᵢ and bᵢ, and all samples share them. So the contributions of the samples are "
        "added (the 1/N of the mean is already in ∂C/∂z):",
        gradients,
        "Gradient descent moves every parameter against its gradient:",
        descent,
        "With mini-batches, N and the sums run over the samples of the batch. Near a minimum whose largest curvature "
        "(eigenvalue of the matrix of second derivatives) is λ, a step multiplies the distance along that direction by "
        "1 - η λ. It shrinks only if η < 2/λ; with a larger learning rate the descent leaves the minimum.",
    ]
    if with_adam:
        blocks += _adam()
    blocks.append(
        "Code: `kernels/network/forward_backward.py`, `add_gradients`; `kernels/training/update.py`, `update`; each "
        "optimizer has a file of its own."
    )
    return Section("Gradients of the parameters and their update", blocks)


def _adam() -> list[Block]:
    adam = Formula(
        "m arrow.l beta_1 m + (1 - beta_1) g, quad quad v arrow.l beta_2 v + (1 - beta_2) g^2, quad quad "
        "w arrow.l w - eta (m \\/ (1 - beta_1^t)) / (sqrt(v \\/ (1 - beta_2^t)) + epsilon)",
        "m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²,   w ← w - η (m/(1 - β₁ᵗ)) / (√(v/(1 - β₂ᵗ)) + ε)",
    )
    hypers = OPTIMIZERS["adam"].hypers
    constants = f"β₁ = {hypers['beta_1']}, β₂ = {hypers['beta_2']} and ε = {hypers['epsilon']:g}"
    return [
        f"Adam keeps two averages for each parameter w with gradient g. At step t = 1, 2, ..., with {constants}:",
        adam,
    ]
