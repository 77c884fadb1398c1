"""Differences between two sets of objects read like a review."""

from __future__ import annotations

from typing import Any

from boxproof.subject.manifests.object_diff import differences, in_order_of


def pod(**spec: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "a", "namespace": "b"}, "spec": spec}


def test_an_object_that_one_side_lacks() -> None:
    assert differences([pod()], []) == ["Pod b/a: only in the base"]
    assert differences([], [pod()]) == ["Pod b/a: only in the chart"]


def test_a_value_is_named_by_its_place() -> None:
    one = pod(containers=[{"name": "c", "image": "x"}])
    two = pod(containers=[{"name": "c", "image": "y"}])

    assert differences([one], [two]) == ["Pod b/a: spec.containers[c].image: base 'x', chart 'y'"]


def test_a_number_is_not_its_text_and_none_is_not_empty() -> None:
    assert differences([pod(port=1)], [pod(port="1")]) == ["Pod b/a: spec.port: base 1, chart '1'"]
    assert differences([pod(ingress=[])], [pod()]) == ["Pod b/a: spec.ingress: base [], chart has none"]
    assert differences([pod(flag=True)], [pod(flag=1)]) == ["Pod b/a: spec.flag: base True, chart 1"]


def test_order_counts_where_nothing_has_a_name() -> None:
    assert differences([pod(verbs=["get", "list"])], [pod(verbs=["list", "get"])]) == []
    assert (
        differences([pod(env=[{"name": "A"}, {"name": "B"}])], [pod(env=[{"name": "B"}, {"name": "A"}])])
        == []
    )
    assert len(differences([pod(rules=[{"a": 1}, {"a": 2}])], [pod(rules=[{"a": 2}, {"a": 1}])])) == 2


def test_one_item_less_is_one_line() -> None:
    one, two = pod(resources=["pods", "pods/log"]), pod(resources=["pods"])

    assert differences([one], [two]) == ["Pod b/a: spec.resources[pods/log]: base 'pods/log', chart has none"]


def test_what_only_says_how_it_is_packaged_does_not_count() -> None:
    packaged = pod()
    packaged["metadata"] |= {"labels": {"app.kubernetes.io/managed-by": "Helm"}}

    assert differences([pod()], [packaged]) == []


def test_the_words_of_a_command_keep_their_order() -> None:
    assert differences([pod(args=["cp", "a", "b"])], [pod(args=["cp", "b", "a"])])


def test_a_secret_in_several_lines_is_the_same_in_one() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"token": "c3R1Yi10\nb2tlbg==\n"}}

    assert differences([secret], [{**secret, "data": {"token": "c3R1Yi10b2tlbg=="}}]) == []
    assert differences([secret], [{**secret, "data": {"token": "c3R1Yg=="}}])


def test_lists_come_in_the_order_of_another_where_it_does_not_count() -> None:
    one = pod(
        env=[{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C"}], args=["b", "a"], rules=[{"a": 1}]
    )
    other = pod(env=[{"name": "D"}, {"name": "B"}, {"name": "A"}], args=["a", "b"], rules=[{"a": 2}])

    assert in_order_of([one, {**pod(), "kind": "Job"}], [other]) == [
        pod(
            env=[{"name": "B"}, {"name": "A", "value": "1"}, {"name": "C"}], args=["b", "a"], rules=[{"a": 1}]
        ),
        {**pod(), "kind": "Job"},
    ]


def test_a_checksum_that_restarts_pods_is_packaging() -> None:
    def workload(**annotations: str) -> dict[str, Any]:
        template = {
            "metadata": {"labels": {"a": "b"}} | ({"annotations": annotations} if annotations else {})
        }
        return {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": template}}

    assert differences([workload()], [workload(**{"checksum/config": "0"})]) == []
    found = differences([workload()], [workload(**{"checksum/config": "0", "other": "1"})])
    assert found == ["Deployment a: spec.template.metadata.annotations: base has none, chart {'other': '1'}"]
