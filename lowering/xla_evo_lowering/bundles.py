"""The compute bundles of a TPU schedule, told as steps of the function: what each bundle is for.

The compiler unrolls a body over several vector registers, renames every value and interleaves the
chains, so that hardly anything can be read from the final bundles themselves. But the chains are
alike: two values are the same *step* when the same operation was applied to the same constants and
steps. Each bundle is then a list of ``step@register``, and a bundle that is not full can be
explained by what the next operations wait for.

Latencies are not documented; that of an operation is taken to be the least distance at which the
schedule uses its result, which is an upper bound that one use attains. Operations on masks have a
slot beside those of the vector unit: no bundle is full or free by them.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from xla_evo_lowering.cost_tpu import slot_of

_MODULE = "= control target key start"
# A bundle inside a loop has a > for it behind the colon.
_BUNDLE = re.compile(r"^\s*(?:0x)?([0-9a-f]+)\s+[A-Z, ]*:[\s>]*\{(.*)$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/")
_OPERATION = re.compile(r"(?:%(\w+)\s*=\s*)?(?:%\d+\s*=\s*)?(v[a-z]\w*(?:\.\w+)*)\s+(.*)")
_VALUE = re.compile(r"%(\w+)")
_CONSTANT = re.compile(r"%(\w+) = vmov ([^%\s]+)")
_LOADED = re.compile(r"= vld\S* \[vmem:\[[#%](\w+)")
_POINTER = re.compile(r"%(\w+) = scalar_lea\.vmem \[#(\w+)\]")
_LOAD, _STORE = re.compile(r"vld\b"), re.compile(r"vst\b")
_SYNCHRONISATION = re.compile(r"v(wait|sync|trace|delay|set|rng)\w*")
_SPECIAL, _MASK, _AHEAD = "transcendental", "mask", 48


@dataclass(frozen=True, slots=True)
class Placed:
    """One operation on one register.

    Attributes:
        bundle: its address.
        step: number of its step.
        register: number of the chain that it belongs to, in the order of the loads; of several
            inputs the loads are counted each for itself.
        needs: names of the values that it reads.
        result: name of the value that it makes; empty for a store.
    """

    bundle: int
    step: int
    register: int
    needs: tuple[str, ...]
    result: str


@dataclass(slots=True)
class Schedule:
    """The compute part of a schedule.

    Attributes:
        addresses: of all bundles of the module.
        steps: text of each step, in which ``#3`` is the result of step 3 and ``x`` the input, or
            its buffer's name where there are several.
        placed: the operations in the order of the bundles.
    """

    addresses: list[int] = field(default_factory=list[int])
    steps: list[str] = field(default_factory=list[str])
    placed: list[Placed] = field(default_factory=list[Placed])

    def name(self, item: Placed) -> str:
        """Name of an operation, with its type."""
        return self.steps[item.step].split()[0]

    def slot(self, item: Placed) -> str:
        """The slot of a bundle that an operation takes, see `cost_tpu.SLOTS`."""
        return slot_of(self.name(item).partition(".")[0])

    def at(self) -> dict[int, list[Placed]]:
        """The operations of each bundle that has any."""
        found: dict[int, list[Placed]] = {}
        for item in self.placed:
            found.setdefault(item.bundle, []).append(item)
        return found


def read_schedule(llo: str) -> Schedule:
    """Reads the module of the final bundles that computes most.

    Args:
        llo: text of the stage ``llo``, maybe of several modules.
    """
    modules = [_read(text) for text in llo.split(_MODULE)]
    return max(modules, key=lambda one: len(one.placed))


def _read(text: str) -> Schedule:
    made = Schedule()
    known: dict[str, tuple[int, int]] = {}  # value to (step, register)
    numbers: dict[str, int] = {}
    constants = dict(_CONSTANT.findall(text))
    pointers = dict(_POINTER.findall(text))
    several = len({pointers.get(one, one) for one in _LOADED.findall(text)}) > 1
    loads: Counter[str] = Counter()
    for match in _BUNDLE.finditer(text):
        address = int(match[1], 16)
        made.addresses.append(address)
        for part in _COMMENT.sub("", match[2]).rstrip("} ").split(";;"):
            found = _OPERATION.match(part.strip())
            if not found or _SYNCHRONISATION.match(found[2]):
                continue
            result, name, operands = found[1] or "", found[2], found[3]
            needs = tuple(one for one in _VALUE.findall(operands) if one in known)
            if _LOAD.match(name):
                loaded = _LOADED.search(part)
                buffer = pointers.get(loaded[1], loaded[1]) if several and loaded else "x"
                described, register = f"{name} {buffer}", loads[buffer]
                loads[buffer] += 1
            elif not needs:
                continue
            else:
                register = known[needs[0]][1]
                described = f"{name} {_in_steps(operands, known, constants)}"
            if _STORE.match(name):
                described = f"{name} {', '.join(f'#{known[one][0]}' for one in needs)}"
            step = numbers.setdefault(described, len(numbers))
            if step == len(made.steps):
                made.steps.append(described)
            if result:
                known[result] = (step, register)
            made.placed.append(Placed(address, step, register, needs, result))
    return made


def _in_steps(
    operands: str, known: Mapping[str, tuple[int, int]], constants: Mapping[str, str]
) -> str:
    def name(match: re.Match[str]) -> str:
        return f"#{known[match[1]][0]}" if match[1] in known else constants.get(match[1], match[0])

    return " ".join(_VALUE.sub(name, operands).split())


def explain_bundles(llo: str) -> str:
    """Returns the steps of a function and a line a bundle: what it does and why it is not full.

    Args:
        llo: text of the stage ``llo``.
    """
    made = read_schedule(llo)
    if not made.placed:
        return "no vector operations\n"
    at = made.at()
    used = {place: Counter(made.slot(item) for item in items) for place, items in at.items()}
    width = {slot: max(one[slot] for one in used.values()) for slot in ("vector", _SPECIAL)}
    waits = _waits(made)
    first, last = min(at), max(at)
    inner = [address for address in made.addresses if first <= address <= last]
    full = [one for one in inner if any(n and used.get(one, {}).get(s) == n
                                        for s, n in width.items())]  # fmt: skip
    reasons = {one: waits[one] for one in inner if one not in full and one in waits}
    lines: list[str] = []
    for address in inner:
        what = " ".join(f"{item.step}@{item.register}" for item in at.get(address, []))
        counts = "  ".join(f"{used.get(address, {}).get(s, 0)}/{n}" for s, n in width.items() if n)
        lines.append(f"{address:#6x}  {counts}  {what:<40} {reasons.get(address, '')}".rstrip())
    total = sum(one["vector"] for one in used.values())
    special, masks = (sum(one[slot] for one in used.values()) for slot in (_SPECIAL, _MASK))
    units = f"{total} vector operations (at most {width['vector']} in a bundle)"
    if special:
        units += f" and {special} of the transcendental unit (at most {width[_SPECIAL]})"
    if masks:
        units += f" and {masks} on masks"
    head = [
        f"{len(inner)} bundles from the first load to the last result: {units} on"
        f" {1 + max(item.register for item in made.placed)} registers",
        f"{len(full)} bundles are full, {len(reasons)} wait for a result,"
        f" {len(inner) - len(full) - len(reasons)} are neither (loads, stores, or left by the"
        " scheduler)",
        "", "step  operation (#n: result of step n)",
        *(f"{number:4}  {text}" for number, text in enumerate(made.steps)),
        "", "bundle, slots used (vector" + (", transcendental" if special else "") + "),"
        " step@register, why it is not full",
    ]  # fmt: skip
    return "\n".join([*head, *lines]) + "\n"


def _waits(made: Schedule) -> dict[int, str]:
    """Bundle to what the next operations wait for, where none of them could have been in it."""
    producer = {item.result: item for item in made.placed if item.result}
    latency: dict[str, int] = {}
    for item in made.placed:
        for one in item.needs:
            source = producer[one]
            distance = item.bundle - source.bundle
            name = made.name(source)
            latency[name] = min(distance, latency.get(name, distance))
    computing = [item for item in made.placed if made.slot(item) in ("vector", _SPECIAL, _MASK)]
    found: dict[int, str] = {}
    for place in made.addresses:
        # Those far ahead are kept back by the number of registers.
        pending = [item for item in computing if item.bundle > place][:_AHEAD]
        late = [_late(made, item, place, producer, latency) for item in pending]
        if late and all(late):
            found[place] = late[0]
    return found


def _late(
    made: Schedule, item: Placed, place: int, producer: Mapping[str, Placed],
    latency: Mapping[str, int],
) -> str:  # fmt: skip
    """What keeps an operation out of a bundle; empty when its operands were there."""
    for one in item.needs:
        source = producer[one]
        if source.bundle + latency[made.name(source)] > place:
            where = "here" if source.bundle == place else f"at {source.bundle:#x}"
            return (
                f"{item.step}@{item.register} waits for {source.step}, {made.name(source)} {where}"
            )
    return ""
