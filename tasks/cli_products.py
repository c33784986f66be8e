"""`lockstep products` and `lockstep archive`: how each SKU stands in every system, what differs, and ending one in order."""

from typing import TYPE_CHECKING, Any

import click

from tasks.terminal import Failed, actor_option, as_json_option, instance_option, open_world, say, say_json, say_table

if TYPE_CHECKING:
    from integration.wiring import World


@click.command()
@click.argument("sku", required=False)
@instance_option
@click.option("--launch", is_flag=True, help="Make SKU in the ERPs that stage and put it on sale, as if it were new.")
@click.option("--story", is_flag=True, help="Tell SKU's launch and archiving from the beginning.")
@click.option("--live", is_flag=True, help="With --story: ask every system too.")
@actor_option
@as_json_option
def products(sku: str | None, instance: str, launch: bool, story: bool, live: bool, actor: str, as_json: bool) -> None:
    """How a SKU stands in every system and what differs; or the launches and archivings that are not over."""
    from integration import lifecycles

    world = open_world()
    if (launch or story) and not sku:
        raise Failed("name the SKU: lockstep products SKU --launch, or --story")
    if sku and story:
        _say_stories(world, sku, instance, live=live, as_json=as_json)
        return
    if sku and launch:
        lifecycles.launch(world, _only(world, instance), sku, actor)
        say(f"{sku} is on its way: `lockstep products {sku}` tells where it stands")
        return
    told = lifecycles.of_sku(world, sku) if sku else lifecycles.going_on(world)
    if as_json:
        say_json(told)
    elif sku:
        _say_sku(sku, told)
    else:
        _say_all(told)


def _say_stories(world: "World", sku: str, instance: str, *, live: bool, as_json: bool) -> None:
    from integration.store import views
    from integration.story import tell
    from integration.wording import OF_SKU

    with world.store.read() as tx:
        rows = [row for kind in OF_SKU for row in views.numbered(tx, sku, kind) if instance in ("", row.instance)]
    if not rows:
        raise Failed(
            f"no launch and no archiving of {sku!r} is in the ledger: `lockstep products {sku}` tells how it stands"
        )
    stories = [tell(world, row.instance, sku, kind=row.kind, live=live) for row in rows]
    if as_json:
        say_json([told.document() for told in stories])
        return
    for told in stories:
        say(*told.lines(), "")


def _say_all(told: dict[str, Any]) -> None:
    rows = [(each["sku"], each["what"], each["state"], each["reason"]) for each in told["going_on"]]
    say_table(("SKU", "is being", "state", "why"), rows, none="no launch and no archiving is going on")
    cases = [
        (case["type"], case["cause"], case["connection"], f"{case['act_by']:%Y-%m-%d %H:%M}") for case in told["cases"]
    ]
    say_table(
        ("difference", "of", "connection", "act by (UTC)"),
        cases,
        none="both catalogues agree, as far as masters are declared",
    )


def _say_sku(sku: str, told: dict[str, Any]) -> None:
    if not any(told.values()):
        raise Failed(f"no system was seen to have {sku!r}: the catalogues are compared once an hour")
    rows = [
        (each["system"], each["sku"], each["status"], each["ean"], f"{each['at']:%Y-%m-%d %H:%M}")
        for each in told["listings"]
    ]
    say_table(("system", "SKU", "is", "EAN", "seen (UTC)"), rows, none="no system was seen to have it yet")
    say(*(f"{each['what']}: {each['state']}; {each['reason']}" for each in told["going_on"]))
    say(*(f"{case['type']}: {case['message']}" for case in told["cases"]))
    if told["open"]:
        say(f"open with it: {', '.join(told['open'])}")


@click.command()
@click.argument("sku")
@instance_option
@click.option("--go", is_flag=True, help="Begin: stop selling at once, and the rest as each check is passed.")
@actor_option
@as_json_option
def archive(sku: str, instance: str, go: bool, actor: str, as_json: bool) -> None:
    """What stands against ending a SKU, checked in every system now; with --go, end it in the order that breaks nothing."""
    from integration import archive as archiving

    world = open_world()
    where = _only(world, instance)
    found = archiving.check(where, sku, world)
    if found.offer is None and not found.items:
        raise Failed(f"neither Centra nor an ERP was seen to have {sku!r}: look at `lockstep products {sku}`")
    if as_json:
        say_json(archiving.in_words(found))
    else:
        for name, words in archiving.in_words(found).items():
            say(f"{name}: {words}")
    if go:
        archiving.begin(where, sku, actor, world)
        if not as_json:
            say("begun: it is taken off sale now, and goes on by itself; `lockstep products` tells where it stands")


def _only(world: "World", instance: str) -> str:
    known = sorted(world.storefronts)
    if instance and instance not in known:
        raise Failed(f"there is no Centra instance {instance!r}; there is {', '.join(known)}")
    if not instance and len(known) != 1:
        raise Failed(f"there are several Centra instances, {', '.join(known)}: say which with --instance")
    return instance or known[0]
