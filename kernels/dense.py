"""The three matrix kernels of a dense layer z = W a + b.

Shapes: W (fan_out, fan_in), b (fan_out,); a, da (fan_in, n); z, dz (fan_out, n); n samples, contiguous along a row.
Four rows are worked on at once, so that a loaded value serves several multiply-adds; what is left over goes row by row.
Each number is a sum in a fixed order that depends on the shapes alone.
"""

from __future__ import annotations

from kernels._jit import jit, sum_jit


@jit
def add_scaled_rows(z, w, stride, first, n_rows, a):
    """z (n,) += sum_i w[first + i * stride] * a[i] over the rows of a (n_rows, n)."""
    i = 0
    while i + 4 <= n_rows:
        at = first + i * stride
        w0, w1, w2, w3 = w[at], w[at + stride], w[at + 2 * stride], w[at + 3 * stride]
        a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
        for t in range(z.size):
            z[t] = z[t] + w0 * a0[t] + w1 * a1[t] + w2 * a2[t] + w3 * a3[t]
        i += 4
    while i < n_rows:
        w0, a0 = w[first + i * stride], a[i]
        for t in range(z.size):
            z[t] = z[t] + w0 * a0[t]
        i += 1


@jit
def forward(W, b, a, z):
    """z = W a + b."""
    fan_out, fan_in = W.shape
    w = W.reshape(W.size)
    for o in range(fan_out):
        z[o].fill(b[o])
        add_scaled_rows(z[o], w, 1, o * fan_in, fan_in, a)


@jit
def input_gradient(W, dz, da):
    """da += W^T dz."""
    fan_out, fan_in = W.shape
    w = W.reshape(W.size)
    for i in range(fan_in):
        add_scaled_rows(da[i], w, fan_in, i, fan_out, dz)


@sum_jit
def dot4(dz, a0, a1, a2, a3):
    """The dot products of dz with four rows, all (n,)."""
    s0 = s1 = s2 = s3 = dz.dtype.type(0)
    for t in range(dz.size):
        s0 += dz[t] * a0[t]
        s1 += dz[t] * a1[t]
        s2 += dz[t] * a2[t]
        s3 += dz[t] * a3[t]
    return s0, s1, s2, s3


@sum_jit
def dot(dz, a):
    """The dot product of two rows (n,)."""
    s = dz.dtype.type(0)
    for t in range(dz.size):
        s += dz[t] * a[t]
    return s


@sum_jit
def total(dz):
    """The sum of a row (n,)."""
    s = dz.dtype.type(0)
    for t in range(dz.size):
        s += dz[t]
    return s


@jit
def weight_gradient(dz, a, dW):
    """dW += dz a^T."""
    fan_out, fan_in = dW.shape
    for o in range(fan_out):
        i = 0
        while i + 4 <= fan_in:
            s0, s1, s2, s3 = dot4(dz[o], a[i], a[i + 1], a[i + 2], a[i + 3])
            dW[o, i] += s0
            dW[o, i + 1] += s1
            dW[o, i + 2] += s2
            dW[o, i + 3] += s3
            i += 4
        while i < fan_in:
            dW[o, i] += dot(dz[o], a[i])
            i += 1


@jit
def bias_gradient(dz, db):
    """db += the sum of dz over the samples."""
    for o in range(db.size):
        db[o] += total(dz[o])
