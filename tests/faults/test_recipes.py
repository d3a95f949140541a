"""Every recipe with its control: without the protection the damage appears, with it the damage does not."""

import logging

import pytest

from kafkalab.faults import clients, recipes
from kafkalab.faults.recipes import RECIPES

pytestmark = pytest.mark.cluster
QUICK = ("kafkalab", "kafka-python", "confluent")
"""What `make test` runs each proxy recipe on: the first of these that shows it. CI runs all clients."""


@pytest.fixture(autouse=True)
def _quiet():
    """The peers tell at length of the failures that they were given."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def cases():
    for recipe in RECIPES.values():
        names = recipe.clients
        first = next(name for name in QUICK if name in names)
        for name in names:
            everyone = recipe.name == "lost-acknowledgement"
            quick = recipe.kind == "proxy" and (everyone or name == first)
            marks = () if quick else pytest.mark.slow
            yield pytest.param(recipe, name, id=f"{recipe.name}-{name}", marks=marks)


@pytest.mark.parametrize("protected", [False, True], ids=["off", "on"])
@pytest.mark.parametrize(("recipe", "name"), list(cases()))
def test_the_damage_appears_without_protection_and_not_with_it(cluster, recipe, name, protected):
    result = recipes.run(recipe.name, cluster, name, protected=protected)
    assert result.damage == (not protected), str(result)


def test_our_producer_loses_nothing_when_its_first_batch_is_refused(cluster):
    """librdkafka loses it, Java fails it; ours keeps one batch in flight until the broker knows its id."""
    result = recipes.run("first-batch-refused", cluster, "kafkalab")
    assert not result.damage, str(result)
    assert result.audit, str(result)


def test_every_recipe_says_what_it_shows():
    for recipe in RECIPES.values():
        assert recipe.title.endswith("."), recipe.name
        assert recipe.protection
        assert set(recipe.clients) <= set(clients.NAMES)


@pytest.mark.parametrize(
    ("name", "client", "hint"),
    [
        ("lost-acknowledgment", "java", "did you mean 'lost-acknowledgement'"),
        ("reorder", "kafka-pyhton", "did you mean 'kafka-python'"),
    ],
)
def test_a_wrong_name_suggests_the_right_one(cluster, name, client, hint):
    with pytest.raises(ValueError, match=hint):
        recipes.run(name, cluster, client)
