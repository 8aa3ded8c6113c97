"""A stand-in for NVIDIA's driver library, as ctypes gives it: so many cards, and errors where a
test wants them."""

import ctypes


class Handle(ctypes.c_void_p):
    """A CUfunction as numba keeps it."""


class FakeDriver:
    """cuInit and friends. ``fails``: name of a call -> error it returns; ``attributes``: number ->
    value."""

    def __init__(self, cards=1, fails=None, attributes=None, version=13000):
        self.cards, self.fails, self.version = cards, fails or {}, version
        self.attributes = {
            16: 132,
            20: 0,
            75: 9,
            76: 0,
            81: 233472,
            97: 232448,
            **(attributes or {}),
        }
        self.calls = []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append(
                (name, *[getattr(argument, "value", argument) for argument in arguments])
            )
            return self.fails.get(name, 0) or getattr(self, f"_{name}", lambda *_: 0)(*arguments)

        if name.startswith("_"):
            raise AttributeError(name)
        return call

    def _cuDeviceGetCount(self, count):
        count._obj.value = self.cards
        return 0

    def _cuDeviceGetAttribute(self, value, number, card):
        value._obj.value = self.attributes.get(number.value, 0)
        return 0

    def _cuDriverGetVersion(self, version):
        version._obj.value = self.version
        return 0

    def _cuGetErrorName(self, code, text):
        names = {
            46: b"CUDA_ERROR_DEVICE_UNAVAILABLE",
            999: b"CUDA_ERROR_UNKNOWN",
            719: b"CUDA_ERROR_LAUNCH_FAILED",
        }
        text._obj.value = names.get(code.value)
        return 0
