"""The same updates with many customers: how near to the bare statements, how much slower than with a tenth of them."""

from collections.abc import AsyncIterator

from benchmarks import flips, population, upsert
from benchmarks.flips import Updates
from benchmarks.pgbench import Expression, Script
from benchmarks.population import Population
from benchmarks.recording import Act, record
from benchmarks.report import Aim, Line
from benchmarks.world import World
from rapport.activity.log import Internal
from rapport.customers.writes import Writer

SEGMENTS = 100
# Its row is known, so that its values are not drawn over by the updates under test.
_RECORDED = 1


async def measure(world: World, people: Population, rates: dict[bool, float]) -> AsyncIterator[Line]:
    """Yield the lines of updates of one population; put the rates over HTTP into `rates`.

    Afterwards the customers are all alike: what pgbench writes is one customer's row.
    """
    updates = Updates(people)
    for flip in (False, True):
        full = await flips.closed(world, updates, world.connections, flip=flip)
        rates[flip] = full.per_second
        script, times = await _script(world, people, flip=flip)
        bare = times * await world.bare(script)
        yield Line(
            f"update that flips {3 if flip else 'nothing'}, {people.size:,} customers, {SEGMENTS} segments",
            f"{full.per_second:,.0f}/s, p50 {full.percentile_ms(50):.1f} ms, p99 {full.percentile_ms(99):.1f} ms",
            f"pgbench: {bare:,.0f}/s",
            full.per_second / bare,
            Aim(at_least=0.3),
        )


def compare(small: int, large: int, few: dict[bool, float], many: dict[bool, float]) -> list[Line]:
    """Return the lines that compare the rates at two sizes."""
    return [
        Line(
            f"the same, {large:,} against {small:,} customers, flips {3 if flip else 'nothing'}",
            f"{many[flip]:,.0f}/s",
            f"{few[flip]:,.0f}/s",
            few[flip] / many[flip],
            Aim(at_most=1.3),
        )
        for flip in (False, True)
    ]


async def _script(world: World, people: Population, *, flip: bool) -> tuple[Script, int]:
    """Return the script of updates, and how many of them it makes: with flips, one in and one out again."""
    ids: list[str] = []
    names: list[str] = []

    def update(level: str) -> Act:
        async def act(writer: Writer, signature: Internal) -> None:
            names.append(f"Recorded {len(names)}")
            metadata = {"visits": population.visits_base(_RECORDED) + 1 + len(names) % 9, "level": level}
            raw = {"source_id": population.source_id(_RECORDED), "name": names[-1], "metadata": metadata}
            done = await writer.commit(signature, lambda unit: unit.upsert(upsert.as_input(raw)))
            ids.append(done[0].id)

        return act

    # The first is only there to be in a known state.
    acts = [update("B"), update("A"), update("B")] if flip else [update("B"), update("B")]
    recorded = (await record(world.running.url, people.project_id, *acts))[1:]
    made = Script()
    made.set(rf"\set k random(0, {people.size // world.connections - 1}) * {world.connections} + :client_id + 1")
    for statements, name in zip(recorded, names[-len(recorded) :], strict=True):
        instead = {
            population.source_id(_RECORDED): Expression("'bench-' || :k"),
            ids[-1]: Expression(":c_id"),
            name: Expression("'Name ' || random()"),
        }
        made.transaction(statements, instead, keep="c_")
    return made, len(recorded)
