"""What the benchmark report says about results: losses in words, goals, the page, the plots, the kept file."""

from __future__ import annotations

from pathlib import Path

import bench_results as made
import pytest
from bench_results import DIRECT, FASTLB, HAPROXY, NGINX

from bench import page, store, verdicts
from bench.cells import all_cells

DOCS = Path(__file__).resolve().parents[2] / "docs"


def losses(document):
    return verdicts.losses(all_cells(document))


def test_nothing_is_lost_where_nothing_is_worse():
    document = made.everything()
    assert losses(document) == []
    assert "not worse in any of" in verdicts.summary(all_cells(document))
    assert "In no figure on this page." in page.render(document)


def test_a_loss_is_told_for_each_balancer_that_wins():
    document = made.document(
        faceoff=[made.faceoff(FASTLB, "keep", [12.0]), made.faceoff(HAPROXY, "keep", [10.0]),
                 made.faceoff(NGINX, "keep", [5.0]), made.faceoff(DIRECT, "keep", [0.0])]
    )  # fmt: skip
    assert losses(document) == [
        "keep: CPU of the balancer per request is 20 % above that of haproxy 2.6.12, "
        "and 2.4 times that of nginx 1.22.1."
    ]
    assert "is worse in 2 of 8 comparisons" in verdicts.summary(all_cells(document))


def test_of_a_rate_less_is_worse():
    slow, quick = (made.faceoff(name, "keep", [10.0], rate) for name, rate in ((FASTLB, 900.0), (HAPROXY, 1000.0)))
    assert losses(made.document(faceoff=[slow, quick])) == ["keep: rate is 10 % below that of haproxy 2.6.12."]


def test_rounds_that_overlap_are_told():
    ours, theirs = made.faceoff(FASTLB, "keep", [9.0, 11.0, 12.0]), made.faceoff(HAPROXY, "keep", [8.0, 10.0, 11.0])
    assert losses(made.document(faceoff=[ours, theirs]))[0].endswith("haproxy 2.6.12 (the rounds overlap).")


def test_one_per_cent_is_no_difference():
    ours, theirs = made.faceoff(FASTLB, "keep", [10.05]), made.faceoff(HAPROXY, "keep", [10.0])
    assert losses(made.document(faceoff=[ours, theirs])) == []


@pytest.mark.parametrize(
    ("part", "results", "sentence"),
    [
        ("latency", [made.latency(FASTLB, 5000, 900), made.latency(NGINX, 5000, 300)], "5,000 requests a second: p99"),
        ("sessions", [made.sessions(FASTLB, 9000, 9), made.sessions(NGINX, 9000, 6)],
         "9,000 sessions established: CPU of the balancer per request is 50 % above"),
        ("sizes", [made.size(FASTLB, "64k", 65536, 9, 1), made.size(NGINX, "64k", 65536, 9, 2)],
         "answers of 64 KiB: throughput is 50 % below"),
        ("workers", [made.workers(FASTLB, "keep", 2, 9), made.workers(NGINX, "keep", 2, 6)],
         "keep with 2 workers: CPU of the balancer per request is 50 % above"),
        ("syscalls", [made.syscalls(FASTLB, {"sendto": 3}), made.syscalls(NGINX, {"writev": 2})],
         "one keep-alive request after another: the number of system calls is 50 % above"),
    ],
)  # fmt: skip
def test_every_part_can_be_lost(part, results, sentence):
    assert any(said.startswith(sentence) for said in losses(made.document(**{part: results})))


def goal(document, text):
    return next(each for each in verdicts.goals(document) if each.text == text)


def test_goals_are_judged():
    document = made.everything()
    assert goal(document, "keep: CPU relative to haproxy 2.6.12").met  # 9 / 11
    assert goal(document, "keep: CPU with 9,000 sessions relative to 32").value == 1.0
    document["parts"]["sessions"]["results"] = [made.sessions(FASTLB, 32, 8), made.sessions(FASTLB, 9000, 8.9)]
    document["parts"]["workers"]["results"] = [made.workers(FASTLB, "keep", 1, 8), made.workers(FASTLB, "keep", 2, 8.3)]
    assert not goal(document, "keep: CPU with 9,000 sessions relative to 32").met  # 1.11 > 1.1
    assert goal(document, "keep: CPU with 2 workers relative to 1").met  # 1.0375


def test_a_quick_run_says_so_on_top():
    document = made.everything()
    assert "quick run" not in page.render(document)
    document["parts"]["latency"]["settings"] = {**made.SETTINGS, "quick": True}
    assert "quick run" in page.render(document)


def test_failed_requests_and_a_late_client_are_shown():
    document = made.everything()
    document["parts"]["latency"]["results"][0]["kept_schedule"] = False
    document["parts"]["faceoff"]["results"][0]["errors"] = 7
    text = page.render(document)
    assert "the client did not keep its schedule" in text
    assert "**Failed requests:** 7 of keep through fastlb 0.1.0." in text


def test_what_is_kept_comes_back(tmp_path):
    document = made.everything()
    store.save(document, tmp_path / "deep" / "results.json")
    assert store.load(tmp_path / "deep" / "results.json") == document
    assert store.load(tmp_path / "nothing.json")["parts"] == {}
    (tmp_path / "other.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="not a result file"):
        store.load(tmp_path / "other.json")


def test_plots_show_every_peer_and_are_the_same_twice(tmp_path):
    pytest.importorskip("matplotlib", reason="pip install -e '.[bench]'")
    from bench import plots

    document = made.everything()
    pictures = plots.draw_all(document, tmp_path / "one")
    again = plots.draw_all(document, tmp_path / "two")
    assert [path.name for path in pictures] == [f"{name}.svg" for name in plots.PLOTS]
    for first, second in zip(pictures, again, strict=True):
        text = first.read_text()
        assert all(f"<!-- {name}" in text for name in (FASTLB, HAPROXY, NGINX)), first.name
        assert first.read_bytes() == second.read_bytes(), first.name


def test_every_plot_of_the_page_is_drawn():
    text = page.render(made.everything())
    names = {name for _, pictures in page.SECTIONS.values() for name in pictures}
    assert all(f"](benchmarks/{name}.svg)" in text for name in names)
    assert set(page.ALTERNATIVES) == names


@pytest.mark.skipif(not (DOCS / "benchmarks.md").exists(), reason="nothing has been measured into docs/ yet")
def test_the_page_in_the_docs_is_what_its_results_say():
    assert (DOCS / "benchmarks.md").read_text() == page.render(store.load(DOCS / "benchmarks" / "results.json"))
