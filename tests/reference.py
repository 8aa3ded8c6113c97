"""Slow twins that define the truth: plain NumPy and Python, never optimised. Kernels are tested
against these."""

import itertools

import numpy as np

# --- fractals, levels, distributions --------------------------------------------------------------

# A geometry has the fields of Geometry (matrices, offsets, inverse_matrices, inverse_offsets, low),
# a law those of Law.


def philox(counter, key):
    """Philox4x32-10 with Python's integers: four words of the counter (4) and the key (2)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q % 2**32, (p >> 32) ^ c[3] ^ k[1], p % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def affine(matrix, offset, x):
    """offset + Σ_q matrix_q x_q, one float64 operation after the other."""
    result = []
    for row, start in zip(matrix, offset, strict=True):
        total = float(start)
        for a, value in zip(row, x, strict=True):
            total += float(a) * float(value)
        result.append(total)
    return result


def inside(x, low, high):
    return all(low <= value <= high for value in x)


def level(geometry, n, x):
    """Largest j ≤ n such that some address of length j keeps x in the base: all r^j addresses are
    tried."""
    reached = [list(x)] if inside(x, geometry.low, 1.0) else []
    if not reached:
        return -1
    for j in range(n):
        images = [
            affine(matrix, offset, u)
            for u in reached
            for matrix, offset in zip(
                geometry.inverse_matrices, geometry.inverse_offsets, strict=True
            )
        ]
        reached = [u for u in images if inside(u, geometry.low, 1.0)]
        if not reached:
            return j
    return n


def sample(geometry, law, seed, purpose, index):
    """(x, level) of one sample, one attempt after the other."""
    n, d, r = law.fractal_depth, geometry.offsets.shape[1], len(geometry.offsets)
    low, half = geometry.low, 0.5 * (1.0 - geometry.low)
    beyond = half * law.negative_margin
    drawn = None
    for attempt in itertools.count():
        words = []
        for block in range(attempt * law.blocks, (attempt + 1) * law.blocks):
            counter = (index % 2**32, index >> 32, purpose, block)
            words += [
                (word + 0.5) * 2.0**-32 for word in philox(counter, (seed % 2**32, seed >> 32))
            ]
        if drawn is None:
            drawn = (
                n
                if words[0] < law.curve[0]
                else max(j for j in range(n) if law.curve[j] <= words[0])
            )
        if drawn == n:
            reach = half * (1.0 - law.positive_margin)
        else:
            reach = half * min(1.0 / 3.0 if law.gap == 1 else 1.0, 1.0 - law.negative_margin)
        u = [0.5 * (low + 1.0) + reach * (2.0 * word - 1.0) for word in words[1 : 1 + d]]
        inverses = zip(geometry.inverse_matrices, geometry.inverse_offsets, strict=True)
        near = any(inside(affine(a, b, u), low - beyond, 1.0 + beyond) for a, b in inverses)
        if drawn < n and beyond > 0 and near:
            continue
        for k in range(drawn):
            word = 1 + d + k // law.choices
            i = int(words[word] * r)
            words[word] = words[word] * r - i
            u = affine(geometry.matrices[i], geometry.offsets[i], u)
        if law.rounded:
            u = [float(np.float32(value)) for value in u]
        if level(geometry, n, u) == drawn:
            return u, drawn


# --- networks, losses, optimisers -----------------------------------------------------------------

# A network is (d, (k_1, …, k_T), outputs) and one flat buffer: per layer the weights (n_in, n_out)
# row-major, then the biases; the readout last. The parameters' type, float64 or float32, decides
# the arithmetic. ``rule`` has the fields of Rule.

LOSSES = ("hinge", "logistic", "squared")
OPTIMIZERS = ("sgd", "momentum", "adam")
SCHEDULES = ("constant", "step", "cosine")


def layers(shape, params):
    """[(W (n_in, n_out), b (n_out,)), …] of a network, as views into its flat parameters (Q,)."""
    d, widths, outputs = shape[:3]
    sizes = [d, *widths, outputs]
    parts, start = [], 0
    for n_in, n_out in itertools.pairwise(sizes):
        end = start + n_in * n_out
        parts.append((params[start:end].reshape(n_in, n_out), params[end : end + n_out]))
        start = end + n_out
    assert start == len(params), "the buffer's length is not the shape's number of parameters"
    return parts


def activations(shape, params, x):
    """Pre-activations of every layer for the points x (N, d): T arrays (N, k), then the scores (N,
    1)."""
    parts = layers(shape, params)
    z = [x @ parts[0][0] + parts[0][1]]
    for weights, biases in parts[1:]:
        z.append(np.maximum(z[-1], 0) @ weights + biases)
    return z


def forward(shape, params, x):
    """Scores f (N,)."""
    return activations(shape, params, x)[-1][:, 0]


def losses(loss, f, y):
    """Loss of every sample, (N,)."""
    if loss == "hinge":
        return np.maximum(1 - y * f, 0)
    if loss == "logistic":
        return np.logaddexp(0, -y * f)
    return (f - y) ** 2 / 2


def slopes(loss, f, y):
    """d loss / d f of every sample, (N,); 0 at the kink of the hinge."""
    if loss == "hinge":
        return np.where(y * f < 1, -y, np.zeros_like(y))
    if loss == "logistic":
        return (-y * np.exp(-np.logaddexp(0, y * f))).astype(f.dtype)
    return f - y


def gradient(shape, loss, params, x, y):
    """(d mean loss / d params (Q,), mean loss) over N samples, by backpropagation."""
    z, parts = activations(shape, params, x), layers(shape, params)
    f, count = z[-1][:, 0], y.dtype.type(len(y))
    dz = (slopes(loss, f, y) / count)[:, None]
    dparts = []
    for layer in range(len(parts) - 1, -1, -1):
        h = x if layer == 0 else np.maximum(z[layer - 1], 0)
        dparts.append(np.concatenate([(h.T @ dz).ravel(), dz.sum(axis=0)]))
        if layer > 0:
            dz = (dz @ parts[layer][0].T) * (z[layer - 1] > 0)
    return np.concatenate(dparts[::-1]), losses(loss, f, y).mean(dtype=np.float64)


def central_differences(shape, loss, params, x, y, h=1e-6):
    """The same gradient, parameter by parameter, from the loss alone; (Q,)."""
    result = np.empty_like(params)
    for q in range(len(params)):
        up, down = params.copy(), params.copy()
        up[q] += h
        down[q] -= h
        rise = (
            losses(loss, forward(shape, up, x), y).mean()
            - losses(loss, forward(shape, down, x), y).mean()
        )
        result[q] = rise / (up[q] - down[q])
    return result


def evaluate(shape, loss, params, x, y, level, n):
    """(mean loss, accuracy, accuracy by level (n + 1,), NaN where a level has no samples); sign(0)
    is wrong."""
    f = forward(shape, params, x)
    right = f * y > 0
    by_level = [right[level == j].mean() if np.any(level == j) else np.nan for j in range(n + 1)]
    return losses(loss, f, y).mean(dtype=np.float64), right.mean(), np.array(by_level)


def learning_rate(rule, base, t):
    """Learning rate of step t = 1, 2, …"""
    schedule = SCHEDULES[rule.schedule]
    if schedule == "step":
        return base * rule.decay ** ((t - 1) // rule.period)
    if schedule == "cosine":
        return (
            base * (1 + np.cos(np.pi * (t - 1) / rule.period)) / 2 if t - 1 < rule.period else 0.0
        )
    return base


def optimiser_step(rule, p, m, v, g, t, rate):
    """New (p, m, v) after step t with the gradient g; Kingma and Ba, Algorithm 1, for Adam."""
    real = p.dtype.type
    rate = real(rate)
    optimizer = OPTIMIZERS[rule.optimizer]
    if optimizer == "sgd":
        return p - rate * g, m, v
    if optimizer == "momentum":
        m = real(rule.momentum) * m + g
        return p - rate * m, m, v
    m = real(rule.beta1) * m + real(1 - rule.beta1) * g
    v = real(rule.beta2) * v + real(1 - rule.beta2) * g * g
    m_hat, v_hat = m / real(1 - rule.beta1**t), v / real(1 - rule.beta2**t)
    return p - rate * m_hat / (np.sqrt(v_hat) + real(rule.epsilon)), m, v


def dataset_batch(t, count, batch, index_of):
    """Indices (B,) of step t; ``index_of(position, epoch)`` is an epoch's order, its last N mod B
    dropped."""
    epoch, turn = divmod(t - 1, count // batch)
    return np.array([index_of(turn * batch + i, epoch) for i in range(batch)], dtype=np.int64)


def train(shape, rule, rate, params, batch_of, steps):
    """(params, m, v, sum of losses, correct predictions, step of divergence or -1) after ``steps``
    steps of training.

    ``batch_of(t)`` gives x (B, d) and y (B,) of step t. The sums run over every sample before it is
    learnt from."""
    p, m, v = params.copy(), np.zeros_like(params), np.zeros_like(params)
    loss_sum, correct = 0.0, 0
    for t in range(1, steps + 1):
        x, y = batch_of(t)
        f = forward(shape, p, x)
        g, mean_loss = gradient(shape, LOSSES[rule.loss], p, x, y)
        loss_sum += mean_loss * len(y)
        correct += int(np.sum(f * y > 0))
        if not np.isfinite(mean_loss):
            return p, m, v, loss_sum, correct, t
        p, m, v = optimiser_step(rule, p, m, v, g, t, learning_rate(rule, rate, t))
    return p, m, v, loss_sum, correct, -1
