"""The jobs that put the previous champion back, of signals and of events.

Belongs here: the ops and their jobs. Does not belong here: what a rollback is (`exo_assets.evaluation.champion`).
Scores, release and endpoint follow by the sensor `champion_moved`, as after any other move.

No postponed annotations here: Dagster reads the type of an op's context when it is defined.
"""

import dagster as dg

from exo_assets.contracts import TableContract
from exo_assets.evaluation.champion import champion_table, roll_back
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION
from exo_assets.events.contracts import ML_EVENT_CHAMPION


def _rollback(name: str, registry: str, contract: TableContract) -> dg.JobDefinition:
    @dg.op(
        name=f"{name}_op",
        required_resource_keys={registry, "lake"},
        description=f"Exchanges the registry aliases `champion` and `previous`, and writes {contract.name}.",
    )
    def rollback_op(context: dg.OpExecutionContext) -> None:
        """Put the previous champion back; the run fails without retries, and nothing moves, when there is none.

        The champion's table is written here and not by its asset: that would hold the latest candidate against the
        gates, which has nothing to do with going back. Without a fingerprint the next night looks at it again.
        """
        models, lake = getattr(context.resources, registry), context.resources.lake
        withdrawn = models.champion()
        try:
            champion = roll_back(models, lake)
        except LookupError as absent:
            raise dg.Failure(str(absent), allow_retries=False) from absent
        before = lake.stored(contract.name)
        row = champion_table(champion, models.previous(), withdrawn, "rolled back", before, contract=contract)
        version = lake.write(contract.name, contract.check(row))
        context.log.info("champion is now %s, %s was rolled back", champion, withdrawn)
        context.log_event(
            dg.AssetMaterialization(
                contract.name,
                metadata={"champion": str(champion), "rolled_back": str(withdrawn), "dagster/row_count": version.rows},
                tags={"dagster/data_version": version.digest},
            )
        )

    @dg.job(
        name=name,
        description="Puts the previous champion back; scores, release and endpoint follow (sensor champion_moved).",
    )
    def rollback() -> None:
        rollback_op()

    return rollback


rollback_champion = _rollback("rollback_champion", "registry", ML_VETTER_CHAMPION)
rollback_event_champion = _rollback("rollback_event_champion", "event_registry", ML_EVENT_CHAMPION)
