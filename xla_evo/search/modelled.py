"""What a worker does for a backend that is not in the machine: cost and model in place of a run.

The compiler process of the backend makes the device code; its static cost stands for the time, and
the model of what it computes (`xla_evo_lowering.device_model`), evaluated on this CPU without
contraction, stands for the results. What comes of it is *modelled* until the device has run it.
"""

from typing import TYPE_CHECKING

import numpy as np

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.kernels import compute_errors, format_constants
from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.search.tasks import Compiled, Report, Tasks, Timed
from xla_evo.targets.target import Target
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.costs import StaticCost, cost_and_model, static_cost
from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import parse_program

if TYPE_CHECKING:
    from xla_evo.accuracy.measurement import ErrorMeasurement
    from xla_evo.proof import Examination

_KEPT, _WORST = 512, 16
"""Programs whose cost and model are kept; inputs that a compilation tells, the worst of as many
rows of the sample: what breaks one candidate breaks others, and compiling is what takes the time.
"""


class ModelledTasks(Tasks):
    """The state of one worker for a backend ahead of time; takes what `Tasks` takes.

    Args:
        target: what is sought.
        goal_ulp: polishing below this is of no use.
        test_count: inputs that every promising candidate meets.
        seed: of samples.
        scaffold: name of the scaffold whose hole genomes fill; empty when they are whole programs.
        backend: name of a row of the backend table that is not live.

    Raises:
        BackendError: the backend's compiler does not start.
    """

    def __init__(
        self, target: Target, goal_ulp: float, test_count: int, seed: int, scaffold: str = "",
        *, backend: str,
    ) -> None:  # fmt: skip
        self._row = backend_row(backend)
        super().__init__(
            target, goal_ulp, test_count, seed, scaffold,
            contracts=self._row.contracts, flush=self._row.flushes_subnormals,
        )  # fmt: skip
        self._process = AheadOfTime(self._row)
        self._known: dict[str, tuple[StaticCost, DeviceModel]] = {}
        self._builtin_cost: StaticCost | None = None

    def close(self) -> None:
        """Ends the compiler process."""
        self._process.close()

    def _made(self, text: str) -> tuple[StaticCost, DeviceModel]:
        if text not in self._known:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            program = parse_program(text)
            # What is certified is the canonical form, whose order the device's scheduler sees.
            function = as_function(program if self._contracts else canonical(program))
            dtypes = (self._target.dtype,)
            self._known[text] = cost_and_model(self._row, function, dtypes, self._process)
        return self._known[text]

    def compile(self, name: str, text: str) -> Compiled:
        """Compiles a program for the backend and models its error on a sample."""
        _, model = self._made(text)
        inputs, reference = self._inputs()
        flat = inputs.reshape(-1)
        dtype = self._target.dtype
        form = format_constants(dtype, flush_to_zero=self._row.flushes(dtype))
        errors = compute_errors(model(flat), reference, form)
        errors = np.where(np.isnan(errors), np.inf, errors).reshape(inputs.shape)
        at = errors.argmax(axis=1)
        largest, places = (
            np.take_along_axis(one, at[:, None], 1)[:, 0] for one in (errors, inputs)
        )
        order = np.argsort(-largest, kind="stable")[:_WORST]
        worst, *others = places[order].tolist()
        return Compiled(model.code_hash, float(largest[order[0]]), worst, {}, tuple(others))

    def race(self, texts: dict[str, str], rounds: int) -> dict[str, Timed]:
        """Static costs; `rounds` is of no use, since a cost does not vary."""
        del rounds
        if self._builtin_cost is None:
            self._builtin_cost = self._cost_of_builtin()
        builtin = self._builtin_cost
        return {
            name: Timed((cost.value,), (builtin.value,), (), 0, unit=cost.unit)
            for name, (cost, _) in ((name, self._made(text)) for name, text in texts.items())
        }

    def _cost_of_builtin(self) -> StaticCost:
        return static_cost(self._row, self._builtin(), (self._target.dtype,), self._process)

    def prove(self, text: str, limit_ulp: float, report: Report) -> "ErrorMeasurement":
        """Models every input of the domain; ends early when an error is above the limit."""
        _, model = self._made(text)
        return measure_exhaustive(
            generated(model), self._target, flush_to_zero=self._row.flushes(self._target.dtype),
            limit_ulp=limit_ulp, progress=report,
        )  # fmt: skip

    def specials(self, text: str, max_ulp: float) -> tuple[str, ...]:
        """Checks special inputs of the model; a line for each wrong result."""
        return self.examine(text, max_ulp).specials

    def examine(self, text: str, max_ulp: float) -> "Examination":
        """Checks special inputs; a model has the same bits at every array length."""
        from xla_evo.proof import examine_model

        model = self._made(text)[1]
        return examine_model(model, self._target, max_ulp=max_ulp, backend_name=self._row.name)

    def prove_builtin(self, report: Report) -> "ErrorMeasurement":
        """The built-in cannot be measured without the device."""
        del report
        raise BackendError(f"{self._row.name}: the built-in has no model; its error is not known")
