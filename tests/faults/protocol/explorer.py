"""Explore all states that a protocol can reach, breadth first; independent of what a state is.

A state is hashable. A violation is reported with the shortest sequence of steps that leads to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

State = Any
GOOD, FAULT, CLIENT = "good", "fault", "client"


class Step(NamedTuple):
    """One step of a process or a client.

    ``kind`` is GOOD for a step of a healthy service; ``touch`` is its access to the database. ``spares`` are claims that
    it ends through no fault of theirs.
    """

    label: str
    kind: str
    state: State
    touch: Any = None
    spares: tuple[Any, ...] = ()


class ViolationError(AssertionError):
    """A forbidden state, and the steps that lead to it."""


@dataclass
class Graph:
    """All states by number, and the steps between them without those that change nothing."""

    states: list[State] = field(default_factory=list)
    steps: list[list[tuple[str, str, int]]] = field(default_factory=list)  # label, kind, number of the next state
    came_from: list[tuple[int, str]] = field(default_factory=list)
    tried: int = 0

    def trace(self, number: int) -> list[str]:
        """Return the steps from the start to state ``number``."""
        labels: list[str] = []
        while number > 0:
            number, label = self.came_from[number]
            labels.append(label)
        return labels[::-1]

    def fail(self, number: int, *last: str) -> ViolationError:
        steps = "\n".join(f"{place:3}. {label}" for place, label in enumerate([*self.trace(number), *last[:-1]], 1))
        return ViolationError(f"{last[-1]}\n{steps}")


def explore(
    start: State,
    steps: Callable[[State], Iterable[Step]],
    wrong: Callable[[State, Step], str | None],
    most: int = 500_000,
) -> Graph:
    """Explore all states reachable from ``start``. Raises ViolationError if ``wrong`` returns what a step breaks."""
    graph = Graph([start], [[]], [(0, "")])
    numbers = {start: 0}
    waiting = deque([0])
    while waiting:
        number = waiting.popleft()
        state = graph.states[number]
        for step in steps(state):
            graph.tried += 1
            if (sentence := wrong(state, step)) is not None:
                raise graph.fail(number, step.label, sentence)
            if step.state == state:
                continue
            reached = numbers.setdefault(step.state, len(graph.states))
            if reached == len(graph.states):
                graph.states.append(step.state)
                graph.steps.append([])
                graph.came_from.append((number, step.label))
                waiting.append(reached)
                if reached > most:
                    raise graph.fail(reached, f"too many states: more than {most}")
            graph.steps[number].append((step.label, step.kind, reached))
    return graph


def require_way_out(graph: Graph, due: Callable[[State], bool], over: Callable[[State], bool], what: str) -> int:
    """Require that good steps lead from every ``due`` state to one that is ``over``; return how many are due."""
    before: list[list[int]] = [[] for _ in graph.states]
    for number, steps in enumerate(graph.steps):
        for _, kind, reached in steps:
            if kind == GOOD:
                before[reached].append(number)
    found = {number for number, state in enumerate(graph.states) if over(state)}
    waiting = deque(found)
    while waiting:
        for earlier in before[waiting.popleft()]:
            if earlier not in found:
                found.add(earlier)
                waiting.append(earlier)
    expected = [number for number, state in enumerate(graph.states) if due(state)]
    for number in expected:
        if number not in found:
            raise graph.fail(number, f"{what}: no sequence of good steps leads there")
    return len(expected)


def require_end(graph: Graph, live: Callable[[State], bool]) -> None:
    """Require that no path of good steps is endless among ``live`` states, or stops in one."""
    inside = {number for number, state in enumerate(graph.states) if live(state)}
    onward = {n: {reached for _, kind, reached in graph.steps[n] if kind == GOOD} for n in inside}
    for number, reached in onward.items():
        if not reached:
            raise graph.fail(number, "no good step is possible here")
    left = {number: len(reached & inside) for number, reached in onward.items()}
    before: dict[int, list[int]] = {number: [] for number in inside}
    for number, reached in onward.items():
        for each in reached & inside:
            before[each].append(number)
    waiting = deque(number for number, count in left.items() if count == 0)
    while waiting:
        number = waiting.popleft()
        del left[number]
        for earlier in before[number]:
            left[earlier] -= 1
            if left[earlier] == 0:
                waiting.append(earlier)
    if left:
        raise graph.fail(min(left), "from here, an endless loop is possible without any fault")


def require_turn(
    graph: Graph, waits: Callable[[State], bool], running: Callable[[State], frozenset[Any]], what: str
) -> None:
    """Require that waiting ends although clients go on for ever.

    A loop among ``waits`` states is allowed only if something that is ``running`` never ends in it.
    """
    inside = {number for number, state in enumerate(graph.states) if waits(state)}
    onward = {
        n: [reached for _, kind, reached in graph.steps[n] if kind != FAULT and reached in inside] for n in inside
    }
    for component in _find_components(onward):
        if len(component) > 1 and not frozenset.intersection(*(running(graph.states[n]) for n in component)):
            raise graph.fail(min(component), what)


def _find_components(onward: dict[int, list[int]]) -> Iterator[list[int]]:
    """Find the strongly connected components (Kosaraju's algorithm)."""
    before: dict[int, list[int]] = {number: [] for number in onward}
    for number, reached in onward.items():
        for each in reached:
            before[each].append(number)
    seen: set[int] = set()
    order = [number for root in onward for number in _walk(root, onward, seen)]
    seen = set()
    for root in reversed(order):
        if component := _walk(root, before, seen):
            yield component


def _walk(root: int, onward: dict[int, list[int]], seen: set[int]) -> list[int]:
    """Return what can be reached from ``root`` and was not ``seen``, in the order in which a depth-first search leaves it."""
    left: list[int] = []
    path = [(root, iter(onward[root]))] if root not in seen else []
    seen.add(root)
    while path:
        number, rest = path[-1]
        following = next((each for each in rest if each not in seen), None)
        if following is None:
            left.append(number)
            path.pop()
        else:
            seen.add(following)
            path.append((following, iter(onward[following])))
    return left
