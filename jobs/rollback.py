"""The job that puts the previous champion back.

Belongs here: the op and its job. Does not belong here: what a rollback is (`exo_assets.evaluation.champion`).
Scores, release and endpoint follow by the sensor `champion_moved`, as after any other move.

No postponed annotations here: Dagster reads the type of an op's context when it is defined.
"""

import dagster as dg


@dg.op(
    name="rollback_champion_op",
    required_resource_keys={"registry", "lake"},
    description="Exchanges the registry aliases `champion` and `previous`.",
)
def rollback_champion_op(context: dg.OpExecutionContext) -> None:
    """Put the previous champion back; the run fails without retries when there is none."""
    from exo_assets.evaluation.champion import rollback_champion as roll_back

    try:
        champion = roll_back(context.resources.registry, context.resources.lake)
    except LookupError as absent:
        raise dg.Failure(str(absent), allow_retries=False) from absent
    context.log.info("champion is now %s", champion)
    context.add_output_metadata({"champion": str(champion)})


@dg.job(
    tags={"exo/writes": "lineage"},
    executor_def=dg.in_process_executor,
    description="Puts the previous champion back; scores, release and endpoint follow by the sensor champion_moved.",
)
def rollback_champion() -> None:
    """Put the previous champion back."""
    rollback_champion_op()
