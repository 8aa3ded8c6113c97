"""A study as small as they get: the powers of a number."""

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.studies.study import Drawing, Result, Study
from fracsim.values.settings import setting


@dataclass(frozen=True)
class Settings:
    base: float = setting(2.0, "number to raise", float, low=-1e3, high=1e3)
    power: tuple[int, ...] = setting((1, 2, 3), "powers", int, low=0, high=99, many=True)

    def validate(self):
        if self.base == 0 and 0 in self.power:
            raise UsageError("power (--power) has 0, and base (--base) is 0")


@dataclass
class Powers(Result):
    settings: Settings
    notes: tuple[str, ...] = ()

    def arrays(self):
        powers = list(self.settings.power)
        return {"power": powers, "value": [self.settings.base**p for p in powers]}

    def words(self):
        return [f"powers of {self.settings.base:g}", f"the last is {self.arrays()['value'][-1]:g}"]


def compute(settings, progress):
    progress(0, len(settings.power))
    return Powers(settings, ("base 1 is dull",) if settings.base == 1 else ())


def draw(study, title=None, size=None):
    from fracsim.figures import style

    figure = style.new_figure((3.4, 2.6), size)
    axes = figure.add_subplot(title=title or "Powers", xlabel="power")
    axes.plot(study.arrays["power"], study.arrays["value"], ".-")
    return figure


STUDY = Study(
    name="toy",
    about="Raise a number to powers.",
    settings=Settings,
    variables=(
        Variable("power", ("power",), "<i8", "1", "power"),
        Variable("value", ("power",), "<f8", "1", "base raised to the power"),
    ),
    compute="toy_study:compute",
    example=("fracsim toy --base 3 --power 1:4 -o toy.h5",),
    figure=Drawing("toy_study:draw", "A number and its powers."),
    warmup=({"power": (1,)},),
)
