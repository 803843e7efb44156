"""The job that puts the previous champion back.

Belongs here: the op and its job. Does not belong here: what a rollback is (`exo_assets.evaluation.champion`).
Scores, release and endpoint follow by the sensor `champion_moved`, as after any other move.

No postponed annotations here: Dagster reads the type of an op's context when it is defined.
"""

import dagster as dg


@dg.op(
    name="rollback_champion_op",
    required_resource_keys={"registry", "lake"},
    description="Exchanges the registry aliases `champion` and `previous`, and writes ml_vetter_champion.",
)
def rollback_champion_op(context: dg.OpExecutionContext) -> None:
    """Put the previous champion back; the run fails without retries, and nothing moves, when there is none.

    The champion's table is written here and not by its asset: that would hold the latest candidate against the gates,
    which has nothing to do with going back. Without a fingerprint the next night looks at it again.
    """
    from exo_assets.evaluation.champion import champion_table
    from exo_assets.evaluation.champion import rollback_champion as roll_back
    from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION

    registry, lake = context.resources.registry, context.resources.lake
    withdrawn = registry.champion()
    try:
        champion = roll_back(registry, lake)
    except LookupError as absent:
        raise dg.Failure(str(absent), allow_retries=False) from absent
    table = ML_VETTER_CHAMPION.name
    before = lake.read(table) if lake.version(table) else None
    row = champion_table(champion, registry.previous(), withdrawn, "rolled back", before)
    version = lake.write(table, ML_VETTER_CHAMPION.check(row))
    context.log.info("champion is now %s, %s was rolled back", champion, withdrawn)
    context.log_event(
        dg.AssetMaterialization(
            table,
            metadata={"champion": str(champion), "rolled_back": str(withdrawn), "dagster/row_count": version.rows},
            tags={"dagster/data_version": version.digest},
        )
    )


@dg.job(
    description="Puts the previous champion back; scores, release and endpoint follow by the sensor champion_moved.",
)
def rollback_champion() -> None:
    """Put the previous champion back."""
    rollback_champion_op()
