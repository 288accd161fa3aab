"""Libraries that people use JAX through: a transformer block trains, a posterior is sampled.

They are imported without the patch and know nothing of it.
"""

import warnings

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xla_evo
from tests.integration.conftest import EVERY

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import HMC, MCMC

PATCH = {"max_ulp": 1.1}


class Block(equinox.Module):
    """A pre-norm transformer block with a read-out."""

    attention: equinox.nn.MultiheadAttention
    hidden: equinox.nn.Linear
    out: equinox.nn.Linear
    norms: tuple[equinox.nn.LayerNorm, equinox.nn.LayerNorm]

    def __init__(self, size: int, key: jax.Array) -> None:
        keys = jax.random.split(key, 3)
        self.attention = equinox.nn.MultiheadAttention(2, size, key=keys[0])
        self.hidden = equinox.nn.Linear(size, 4 * size, key=keys[1])
        self.out = equinox.nn.Linear(4 * size, size, key=keys[2])
        self.norms = (equinox.nn.LayerNorm(size), equinox.nn.LayerNorm(size))

    def __call__(self, x: jax.Array) -> jax.Array:
        y = jax.vmap(self.norms[0])(x)
        x = x + self.attention(y, y, y)
        y = jax.vmap(lambda v: self.out(jax.nn.gelu(self.hidden(self.norms[1](v)))))(x)
        return x + y


def losses(steps: int = 80) -> np.ndarray:
    """Loss of each step of gradient descent: the block learns to reverse a sequence."""
    x = jax.random.normal(jax.random.key(1), (8, 6, 16))

    def step(model, _):
        value, slopes = jax.value_and_grad(loss)(model)
        return jax.tree.map(lambda w, g: w - 0.1 * g, model, slopes), value

    weights, fixed = equinox.partition(Block(16, jax.random.key(0)), equinox.is_array)

    def loss(weights):
        logits = jax.vmap(equinox.combine(weights, fixed))(x)
        target = jax.nn.softmax(x[:, ::-1])
        return -(target * jax.nn.log_softmax(logits)).sum(-1).mean()

    return np.asarray(jax.jit(lambda w: jax.lax.scan(step, w, length=steps)[1])(weights))


def test_a_transformer_block_trains_alike() -> None:
    plain = losses()
    with xla_evo.use(**PATCH):
        patched = losses()
    assert plain[-1] < plain[0] - 0.25
    np.testing.assert_allclose(patched, plain, rtol=2e-4)
    assert (patched != plain).any(), "the patch changed no bit, so it was not there"


def regression(x: jax.Array, y: jax.Array | None = None) -> None:
    slope = numpyro.sample("slope", dist.Normal(0.0, 2.0))
    offset = numpyro.sample("offset", dist.StudentT(4.0, 0.0, 2.0))
    scale = numpyro.sample("scale", dist.LogNormal(0.0, 0.5))
    numpyro.sample("y", dist.Bernoulli(logits=(slope * x + offset) * scale), obs=y)


def posterior(x: jax.Array, y: jax.Array) -> dict[str, np.ndarray]:
    sampler = MCMC(
        HMC(regression, trajectory_length=1.5), num_warmup=200, num_samples=1000, progress_bar=False
    )
    sampler.run(jax.random.key(3), x, y)
    return {name: np.asarray(value) for name, value in sampler.get_samples().items()}


@pytest.mark.slow
def test_a_posterior_is_sampled_alike() -> None:
    random = np.random.default_rng(5)
    x = jnp.asarray(random.normal(size=100), jnp.float32)
    y = jnp.asarray(random.uniform(size=100) < 1 / (1 + np.exp(-1.5 * x - 0.5)), jnp.int32)
    plain = posterior(x, y)
    with xla_evo.use(**PATCH):
        patched = posterior(x, y)
    for name, one in plain.items():
        two = patched[name]
        # Chains part after a rounding; their moments agree within the Monte Carlo error, taken for
        # a tenth as many independent samples as there are.
        error = np.sqrt((one.var() + two.var()) / (len(one) / 10))
        assert abs(one.mean() - two.mean()) < 4 * error, name
        assert 0.7 < one.std() / two.std() < 1.4, name
    assert any((plain[name] != patched[name]).any() for name in plain)


ACTIVATIONS = [
    "celu", "elu", "gelu", "glu", "hard_tanh", "log_sigmoid", "log_softmax", "logsumexp", "mish",
    "relu", "selu", "sigmoid", "silu", "soft_sign", "softmax", "softplus", "sparse_plus",
    "squareplus", "standardize", "tanh",
]  # fmt: skip


def test_activations_and_their_slopes() -> None:
    x = jnp.linspace(-6.0, 6.0, 128)

    def every(x):
        functions = {name: getattr(jax.nn, name) for name in ACTIVATIONS}
        values = {name: function(x) for name, function in functions.items()}
        slopes = {
            name: jax.grad(lambda v, f=function: (f(v) ** 2).sum())(x)
            for name, function in functions.items()
        }
        return values, slopes

    plain = jax.jit(every)(x)
    with xla_evo.use(*EVERY, **PATCH):
        patched = jax.jit(every)(x)
    changed = set()
    for before, after in zip(plain, patched, strict=True):
        for name in ACTIVATIONS:
            np.testing.assert_allclose(
                after[name], before[name], rtol=2e-5, atol=2e-6, err_msg=name
            )
            if (np.asarray(after[name]) != np.asarray(before[name])).any():
                changed.add(name)
    assert {"softmax", "gelu", "softplus", "log_softmax"} <= changed
