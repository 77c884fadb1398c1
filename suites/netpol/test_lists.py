"""Whose hosts are on the proxy's list: a host that anybody can upload to is a way out, listed or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boxproof.deployment.box import Box
from boxproof.kube.network_policies import matches
from boxproof.subject.manifests.pod_specs import labels, pod_spec
from pytest_claims import claim, control, needs, observe, require
from suites.netpol.meant import LISTED, proxy_of
from suites.netpol.owners import BROUGHT, OTHERS, owned

NOBODY_ELSES = require(
    "every host on the list is the API's own company's, or what a component is there for",
    lambda found: found == [],
)


def of_others(name: str, components: Iterable[str], entries: Iterable[str]) -> list[str]:
    """Return the entries of a tier's list that are somebody else's; an observation."""
    brought = {each for component in components for each in BROUGHT.get(component, ())}
    found = [each for each in entries if each.lower() not in brought and not owned(each.lower())]
    return observe("hosts of others", f"the list of {name}", sorted(found))


def entries(tier: Box, via: Mapping[str, str]) -> list[str]:
    """Return the entries of all lists that a tier's proxy is given, whatever ConfigMap they come from."""
    pods = [each for each in tier.objects if each["kind"] != "Pod" and pod_spec(each)]
    proxies = [each for each in pods if via and matches({"matchLabels": via}, labels(each))]
    maps = (each for each in tier.objects if each["kind"] == "ConfigMap")
    data = {each["metadata"]["name"]: each.get("data") or {} for each in maps}
    texts = [
        text
        for each in proxies
        for name, items in config_maps((pod_spec(each) or {}).get("volumes"))
        for key, text in sorted(data.get(name, {}).items())
        if items.get(key, key).startswith(LISTED)
    ]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    found = [each for each in lines if each and not each.startswith("#")]
    assert found, "the proxy is given no list"
    return found


def config_maps(volumes: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the name of each ConfigMap in volumes, with the files that its keys are called otherwise."""
    for each in volumes or ():
        for one in (each, *((each.get("projected") or {}).get("sources") or ())):
            if given := one.get("configMap"):
                yield str(given["name"]), {item["key"]: item["path"] for item in given.get("items") or ()}


@claim("netpol-unlisted-hosts-blocked")
@needs("box", "proxy")
def test_no_list_of_any_tier_has_a_host_of_others(tiers_as_rendered: Mapping[str, Box]) -> None:
    via = proxy_of(tiers_as_rendered["default"]).labels
    own = entries(tiers_as_rendered["default"], via)
    for line in (*OTHERS, *(each for hosts in BROUGHT.values() for each in hosts)):
        with control(f"a line {line} is seen"):
            NOBODY_ELSES.fails(of_others("default", (), [*own, line]))
    for name, tier in tiers_as_rendered.items():
        NOBODY_ELSES(of_others(name, tier.components, entries(tier, via)))
