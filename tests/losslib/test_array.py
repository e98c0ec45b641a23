from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch
from torch.autograd import forward_ad

import losslib
from harness import BY_DTYPE, JAX, NUMPY, TORCH
from losslib import _array


def test_import_brings_in_neither_torch_nor_jax() -> None:
    code = "import losslib, sys; print(*(m for m in ('torch', 'jax') if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_jax_as_it_comes_is_without_warnings() -> None:
    """By default JAX has no int64 and no float64, and warns whoever asks for them."""
    code = """
import warnings; warnings.simplefilter("error")
import jax, jax.numpy as jnp, losslib
z, t, y = jnp.ones((2, 3)), jnp.array([1, 2]), jnp.full((2, 3), 0.5)
for loss in (losslib.cross_entropy, losslib.nll_loss):
    print(loss(z, t, jnp.ones(3)).dtype, end=" ")
print(losslib.brier_score(z / 3, t).dtype, losslib.binary_cross_entropy(y, y).dtype)
"""
    environment = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.split() == ["float32"] * 4


def test_namespace(backend) -> None:
    x = backend.array([1.0])
    assert _array.namespace(x=x, y=x) is _array.library(x)
    with pytest.raises(TypeError, match=r"y must be an array .*got float"):
        _array.namespace(x=x, y=1.0)
    with pytest.raises(
        TypeError, match=r"y must be an array .*got NoneType"
    ):
        _array.namespace(x=x, y=None)
    other = (NUMPY if backend is not NUMPY else TORCH).array([1.0])
    with pytest.raises(
        TypeError, match=r"y must come from the same array library as x"
    ):
        _array.namespace(x=x, y=other)


@pytest.mark.parametrize(
    "thing", [torch.float32, torch.nn.Linear, torch, "x", 1, None, [1.0]]
)
def test_what_is_no_array(thing) -> None:
    assert not _array.is_array(thing)


def test_subclasses_of_tensors_are_arrays() -> None:
    class Mine(torch.Tensor):
        pass

    assert _array.is_array(torch.ones(2).as_subclass(Mine))
    assert _array.is_array(torch.nn.Parameter(torch.ones(2)))


def test_concrete() -> None:
    seen = []

    def look(x):
        seen.append(_array.concrete(x))
        return x

    for backend in (NUMPY, TORCH, JAX):
        assert _array.concrete(backend.array([1.0]))
    jax.jit(look)(jnp.ones(2))
    jax.vmap(look)(jnp.ones(2))
    torch.func.vmap(look)(torch.ones(2))
    look(torch.ones(2, device="meta"))
    assert seen == [False] * 4


def test_values_stay_unseen_while_a_graph_is_captured(monkeypatch) -> None:
    on_gpu = SimpleNamespace(device=torch.device("cuda"))
    capturing = "torch.cuda.is_current_stream_capturing"
    monkeypatch.setattr(capturing, lambda: True)
    assert not _array.concrete(on_gpu)
    assert _array.concrete(torch.ones(2))


def test_cast_of_the_same_dtype_is_the_array_itself(backend) -> None:
    x = backend.array([1.0], "float32")
    assert _array.cast(x, x.dtype) is x
    assert (
        backend.dtype_of(_array.cast(x, backend.array([1]).dtype))
        == "int64"
    )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_lift(backend, dtype) -> None:
    lifted = backend.dtype_of(_array.lift(backend.array([1.0], dtype)))
    assert lifted == ("float32" if "16" in dtype else dtype)


def test_eight_bits_are_lifted() -> None:
    x = jnp.ones(64, dtype=jnp.float8_e4m3fn)
    assert losslib.mse_loss(x, x * 0, reduction="sum") == 64


def test_stop_gradient(differentiable) -> None:
    x = differentiable.array([2.0, 3.0])
    gradient = differentiable.gradient(
        lambda x: x * _array.stop_gradient(x), x
    )
    np.testing.assert_array_equal(gradient, [2.0, 3.0])


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_erf(backend, dtype) -> None:
    x = np.array([[-np.inf, -3.0, -1e-4, 0.0], [0.5, 1.5, 30.0, np.nan]])
    got = _array.erf(backend.array(x, dtype))
    assert backend.dtype_of(got) == dtype
    expected = scipy.special.erf(backend.numpy(backend.array(x, dtype)))
    rtol = {"float64": 1e-14, "float32": 3e-7}.get(dtype, 1e-2)
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=rtol)
    assert tuple(_array.erf(backend.array(np.ones((0, 3)))).shape) == (0, 3)


def test_the_slope_of_erf(differentiable) -> None:
    x = differentiable.array([-1.0, 0.0, 2.0])
    got = differentiable.gradient(_array.erf, x)
    expected = 2 / np.sqrt(np.pi) * np.exp([-1.0, 0.0, -4.0])
    np.testing.assert_allclose(got, expected, rtol=1e-14)


@pytest.mark.parametrize("f", [_array.log, _array.log1p])
def test_logarithms_reach_minus_infinity_in_silence(backend, f) -> None:
    x = [0.0, 1.0, 2.0] if f is _array.log else [-1.0, 0.0, 1.0]
    got = backend.numpy(f(backend.array(x)))
    np.testing.assert_allclose(got, [-np.inf, 0.0, np.log(2.0)], rtol=1e-15)


def test_quotient_of_nothing_is_nan(backend) -> None:
    one = _array.quotient(backend.array(1.0), backend.array(0.0))
    assert backend.numpy(one) == np.inf
    assert np.isnan(backend.numpy(_array.quotient(backend.array(0.0), 0)))


def test_xlogy(backend) -> None:
    x, y = [0.0, 0.0, 0.5, 1.0], [0.0, np.inf, 0.0, np.e]
    got = backend.numpy(_array.xlogy(backend.array(x), backend.array(y)))
    np.testing.assert_allclose(got, [0.0, 0.0, -np.inf, 1.0], rtol=1e-15)


def test_xlogy_has_no_gradient_where_x_is_zero(differentiable) -> None:
    make = differentiable.array
    x, y = [0.0, 0.5], [0.0, 0.25]
    by_y = differentiable.gradient(
        lambda y: _array.xlogy(make(x), y), make(y)
    )
    by_x = differentiable.gradient(
        lambda x: _array.xlogy(x, make(y)), make(x)
    )
    np.testing.assert_allclose(by_y, [0.0, 2.0])
    np.testing.assert_allclose(by_x, [0.0, np.log(0.25)])


def test_along_classes() -> None:
    weight = np.ones(3)
    for shape in [(3,), (2, 3), (2, 3, 4, 5)]:
        assert _array.along_classes(weight, np.ones(shape)).ndim == len(
            shape
        )
        assert (
            _array.along_classes(weight, np.ones(shape)) * np.ones(shape)
        ).shape == shape


def test_relu_and_clip(backend) -> None:
    x = backend.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, np.inf])
    got = backend.numpy(_array.relu(x))
    np.testing.assert_array_equal(got, [0, 0, 0, 0, 0.5, 1, 3, np.inf])
    got = backend.numpy(_array.clip(x, 2.0))
    np.testing.assert_array_equal(got, [-2, -1, -0.5, 0, 0.5, 1, 2, 2])


def test_slopes_of_relu_and_clip(differentiable) -> None:
    x = differentiable.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    slope = differentiable.gradient(_array.relu, x)
    np.testing.assert_array_equal(slope, [0, 0, 0, 1, 1])
    slope = differentiable.gradient(lambda x: _array.clip(x, 2.0), x)
    np.testing.assert_array_equal(slope, [0, 1, 1, 1, 0])


def test_fold(backend) -> None:
    rows = backend.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    factor = backend.array([2.0, 10.0, 1.0])
    start = backend.array([100.0, 0.0])

    def step(state, row):
        return (row[1] * state[0] + row[0],)

    (last,), (each,) = _array.fold(step, (start,), rows, factor)
    np.testing.assert_array_equal(backend.numpy(last), [2018.0, 30.0])
    np.testing.assert_array_equal(
        backend.numpy(each), [[201, 2], [2013, 24], [2018, 30]]
    )
    (last,), (each,) = _array.fold(step, (start,), rows[:0], factor[:0])
    np.testing.assert_array_equal(backend.numpy(last), [100.0, 0.0])
    assert each.shape == (0, 2)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8, 13])
def test_running(backend, n) -> None:
    """Of a join that is not the same both ways: to multiply by one number and add another."""
    a, b = np.random.default_rng(n).normal(size=(2, 3, n))

    def join(first, then):
        return first[0] * then[0], first[1] * then[0] + then[1]

    got = _array.running(join, *map(backend.array, (a, b)))
    x = np.zeros(3)
    for k in range(n):
        x = a[:, k] * x + b[:, k]
        np.testing.assert_allclose(
            backend.numpy(got[1])[:, k], x, rtol=1e-9
        )
    assert got[1].shape == (3, n)


def test_log_add(backend) -> None:
    x = np.array([0.0, -1e30, 700.0, 800.0])
    y = np.array([0.0, -1e30, 710.0, -1e30])
    got = backend.numpy(_array.log_add(backend.array(x), backend.array(y)))
    np.testing.assert_allclose(got, np.logaddexp(x, y), rtol=1e-15)


def test_a_slope_that_is_given(differentiable) -> None:
    """It is taken as it is; its own derivative is followed."""
    x = differentiable.array(np.arange(12.0).reshape(2, 3, 2))
    scale = differentiable.array(2.0)

    def value(x, scale, power):
        return (scale * x**power).sum(axis=(0, 2))

    def both(x, scale, power):  # with a slope that is wrong on purpose
        return value(x, scale, power), x**power

    def loss(x):
        return _array.with_slope(
            value, both, x, scale, 3, over=(0, 2)
        ).sum()

    got = differentiable.gradient(loss, x)
    np.testing.assert_array_equal(got, differentiable.numpy(x) ** 3)
    if differentiable.name == "jax":
        twice = jax.grad(lambda x: jax.grad(loss)(x).sum())(x)
    else:
        x.requires_grad_()
        (slope,) = torch.autograd.grad(loss(x), x, create_graph=True)
        (twice,) = torch.autograd.grad(slope.sum(), x)
        x = x.detach()
    np.testing.assert_array_equal(
        differentiable.numpy(twice), 3 * differentiable.numpy(x) ** 2
    )


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_the_slope_of_a_forward_derivative() -> None:
    """Where x needs a gradient, so does its derivative along a tangent."""
    x = torch.arange(3.0, requires_grad=True)

    def both(x, scale, power):
        return scale * x**power, scale * power * x ** (power - 1)

    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones(3))
        y = _array.with_slope(
            lambda *x: both(*x)[0], both, dual, torch.tensor(2.0), 3
        )
        along = forward_ad.unpack_dual(y).tangent
        (twice,) = torch.autograd.grad(along.sum(), x)
    np.testing.assert_array_equal(along.detach(), [0.0, 6.0, 24.0])
    np.testing.assert_array_equal(twice, [0.0, 12.0, 24.0])


def test_repeat(backend) -> None:
    start = tuple(backend.array(x) for x in (1.0, [1.0, 2.0]))
    got = _array.repeat(lambda s: (s[0] + 1, s[0] * s[1]), start, 4)
    assert backend.numpy(got[0]) == 5
    np.testing.assert_array_equal(backend.numpy(got[1]), [24.0, 48.0])


def test_repeat_is_one_loop_when_compiled(compiled) -> None:
    """Of a thousand rounds PyTorch makes one, and differentiates none."""

    def f(x):
        (y,) = _array.repeat(
            lambda s: (0.5 * s[0] + x.detach(),), (0 * x,), 1000
        )
        return x * y

    x = torch.tensor([1.0, 3.0], requires_grad=True)
    got = compiled(f)(x)
    got.sum().backward()
    torch.testing.assert_close(got.detach(), torch.tensor([2.0, 18.0]))
    torch.testing.assert_close(x.grad, torch.tensor([2.0, 6.0]))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arrays_with_an_arithmetic_of_their_own_are_refused() -> None:
    x = np.ones((2, 2))
    for other in (np.matrix(x), np.ma.masked_array(x)):
        with pytest.raises(TypeError, match=f"y .*{type(other).__name__}"):
            _array.namespace(x=x, y=other)


def test_what_is_made_for_a_tensor_lies_on_its_device() -> None:
    x = torch.empty(2, 3, device="meta")
    assert _array.positions(x, 1).device == x.device
    got = _array.indices([2, 0], x)
    assert (got.device, got.dtype) == (x.device, torch.int64)


SIGNS = torch.tensor([[-1.0, -1, -1, 1], [1, 1, 1, 1]])


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (losslib.hinge_loss, SIGNS),
        (losslib.squared_hinge_loss, SIGNS),
        (losslib.hinge_embedding_loss, SIGNS),
        (losslib.quantile_loss, SIGNS / 2),
        (lambda x, y: losslib.margin_ranking_loss(x, -x, y), SIGNS),
        (losslib.multi_margin_loss, torch.tensor([0, 3])),
        (
            losslib.multilabel_margin_loss,
            torch.tensor([[0, -1, 0, 0], [3, 1, -1, 2]]),
        ),
    ],
)
def test_no_mask_is_stored_for_the_gradient_when_compiled(
    compiled, loss, target
) -> None:
    x = torch.arange(-4.0, 4.0).reshape(2, 4).requires_grad_()
    stored = []

    def keep(x):
        stored.append(x.dtype)
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        compiled(loss)(x, target).backward()
    assert stored
    assert torch.bool not in stored
    expected = torch.autograd.grad(loss(x, target), x)[0]
    torch.testing.assert_close(x.grad, expected)


def test_listed_classes(backend) -> None:
    labels = np.array([[2, 0, 2], [1, 1, 0]])
    listed = np.array([[True, False, True], [True, True, False]])
    got = _array.listed_classes(
        backend.array(labels),
        backend.array(listed),
        backend.array(np.zeros((2, 3))),
    )
    expected = [[False, False, True], [False, True, False]]
    assert backend.numpy(got).tolist() == expected


def test_log_gamma(backend) -> None:
    """Against SciPy, from 0 to the end of the numbers; its slope is the digamma function."""
    x = np.array(
        [0.0, 1e-300, 1e-8, 0.5, 1.0, 1.5, 2.0, 20.3, 1e6, 1e300, np.inf]
    )
    got = backend.numpy(_array.log_gamma(backend.array(x)))
    np.testing.assert_allclose(got, scipy.special.gammaln(x), rtol=1e-14)
    assert np.isnan(
        backend.numpy(_array.log_gamma(backend.array([np.nan])))
    ).all()
    few = _array.log_gamma(backend.array([[0.5, 4.0]], "float32"))
    assert backend.dtype_of(few) == "float32"
    assert few.shape == (1, 2)
    assert _array.log_gamma(backend.array(np.zeros((0, 2)))).shape == (0, 2)
    assert _array.log_gamma(backend.array(5.0)).shape == ()
    if backend is not NUMPY:
        got = backend.gradient(
            lambda a: library_sum(_array.log_gamma(a)),
            backend.array(x[3:9]),
        )
        np.testing.assert_allclose(
            got, scipy.special.digamma(x[3:9]), rtol=1e-9
        )


def library_sum(x):
    return _array.library(x).sum(x)
