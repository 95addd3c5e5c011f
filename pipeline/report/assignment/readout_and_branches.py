"""Derivations beyond the plain trained network: the ridge readout, and branches with the input's gradient."""

from __future__ import annotations

from shoal.pipeline.report.document.blocks import Block, Formula, Section


def ridge() -> Section:
    """The normal equations of the output layer over random hidden layers."""
    cost = Formula(
        "min_(W,b) quad sum_(n=1)^N norm(y_n - W h_n - b)^2 + alpha norm(W)_F^2",
        "minimise over W and b: Σₙ ‖yₙ - W hₙ - b‖² + α ‖W‖²",
    )
    intercept = Formula(
        "b = overline(y) - W overline(h), quad quad (H^top H + alpha I) W^top = H^top Y",
        "b = ȳ - W h̄,   (Hᵀ H + α I) Wᵀ = Hᵀ Y",
    )
    blocks: list[Block] = [
        "The hidden layers stay at their random start. h = a of L is what goes into the output layer, and only its W "
        "and b are fitted, which is a linear problem. The bias is not penalised.",
        cost,
        "Setting the derivative with respect to b to zero gives b. Put in, it leaves the centred values: the rows of H "
        "are hₙ - h̄ and those of Y are yₙ - ȳ (bars are means over the training samples). Setting the derivative with "
        "respect to W to zero gives the normal equations:",
        intercept,
        "The matrix is symmetric and, since α > 0, positive definite: Cholesky factors solve it. Note that the penalty "
        "stands beside the sum over the samples, not beside their mean.",
        "Code: `kernels/training/methods/ridge.py`, `fit`, with `centred_sums`, and `kernels/matrix/cholesky.py`.",
    ]
    return Section("Ridge regression of the output layer", blocks)


def branches(is_assignment: bool) -> Section:
    """Branches that are summed, and the derivative of the cost with respect to the input."""
    forward = Formula(
        "a_1 = w_11 x + b_11, quad a_2 = w_12 sigma(x) + b_12, quad a_3 = w_13 sigma(sigma(x)) + b_13, quad "
        "hat(y) = a_4 = w_4 (a_1 + a_2 + a_3) + b_14",
        "a₁ = w₁₁ x + b₁₁,   a₂ = w₁₂ σ(x) + b₁₂,   a₃ = w₁₃ σ(σ(x)) + b₁₃,   ŷ = a₄ = w₄ (a₁ + a₂ + a₃) + b₁₄",
    )
    chain = Formula(
        "(partial C) / (partial x) = (partial C) / (partial a_4) (partial a_4) / (partial x) = (hat(y) - y) thin w_4 "
        "(w_11 + w_12 sigma'(x) + w_13 sigma'(sigma(x)) sigma'(x))",
        "∂C/∂x = (ŷ - y) w₄ (w₁₁ + w₁₂ σ′(x) + w₁₃ σ′(σ(x)) σ′(x))",
    )
    short = Formula(
        "(partial C) / (partial x) = (hat(y) - y) thin w_4 dot "
        "cases(w_11 + w_12 + w_13 quad & x > 0, w_11 quad & x < 0)",
        "∂C/∂x = (ŷ - y) w₄ (w₁₁ + w₁₂ + w₁₃) where x > 0, and (ŷ - y) w₄ w₁₁ where x < 0",
    )
    general = Formula(
        "s = sum_j f_j (x), quad quad "
        "(partial C) / (partial x) = sum_j ((partial f_j) / (partial x))^top (partial C) / (partial s)",
        "s = Σⱼ fⱼ(x),   ∂C/∂x = Σⱼ (∂fⱼ/∂x)ᵀ ∂C/∂s",
    )
    whose = "The assignment's" if is_assignment else "A"
    blocks: list[Block] = [
        f"{whose} network with three branches, σ being relu (its layers, from x to y):",
        forward,
        "Its error for one sample is C = ½ (ŷ - y)². The target y is fixed; x acts through all three branches, and the "
        "chain rule adds up what comes through each:",
        chain,
        "Since relu(relu(x)) = relu(x), the third branch is of the same form as the second, and the derivative is",
        short,
        "For any branches f that are summed, each is handed the gradient of the sum as it is, and the gradients that "
        "come back to x are added:",
        general,
        "Code: `kernels/network/tape.py`, `COPY`, `ADD` and `start`; `kernels/network/forward_backward.py`, `backward` "
        "with `all_inputs`; the result is `x` of `gradients` in `kernels/ensemble.py`.",
    ]
    return Section("Branches, and the derivative with respect to the input", blocks)
