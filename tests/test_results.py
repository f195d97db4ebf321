import json

import pytest

from vgg_course import results


def test_every_committed_result_says_how_it_came_about():
    names = [path.stem for path in results.FOLDERS[0].glob("*.json")]
    assert "live_training" in names
    for name in names:
        found = results.load(name)
        assert {"command", "date", "device", "versions"} <= found.keys()


def test_the_live_run_meets_what_the_chapter_promises():
    found = results.load("live_training")
    assert found["test_accuracy"]["n"] == len(found["seeds"]) == 5
    assert found["test_accuracy"]["lowest"] > 0.93
    assert found["test_accuracy"]["mean"] == pytest.approx(sum(found["test_accuracy"]["values"]) / 5)
    assert sum(map(sum, found["confusion"])) == 5 * found["images"]["test"]


def test_an_unknown_result_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no result 'dead_training'; there are .*live_training"):
        results.load("dead_training")


def test_an_installed_package_reads_its_own_copy(monkeypatch, tmp_path):
    (tmp_path / "some.json").write_text(json.dumps({"n": 5}))
    monkeypatch.setattr(results, "FOLDERS", (tmp_path / "nowhere", tmp_path))
    assert results.load("some") == {"n": 5}
