"""The network without torch: what it says, why, and its files."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import SEEN_VIEWS, VIEWS_WIDTH, branch_slices
from exo_assets.training.attribution import Windows, completed, integrated
from exo_assets.training.network import EXPLAINED, JUDGED, Network
from exo_assets.training.network_files import MANIFEST
from tests.training.tiny_network import MISSION, TINY, matrix, tiny_network, views

NOWHERE = np.empty(0, dtype=np.int64)
NONE = np.empty((0, VIEWS_WIDTH), dtype=np.float32)


@pytest.fixture(scope="module")
def network() -> Network:
    return tiny_network(0, 1)


def test_members_are_averaged(network):
    rng = np.random.default_rng(1)
    x, where = matrix(rng, 20), np.arange(5, 15)
    seen = views(rng, 10)
    alone = [Network(TINY, (member,)) for member in network.members]
    for method in ("logits", "contributions"):
        each = [getattr(one, method)(x, seen, where) for one in alone]
        assert not np.allclose(each[0], each[1], atol=1e-2)
        assert np.allclose(getattr(network, method)(x, seen, where), np.mean(each, axis=0), atol=1e-9)


def test_rows_without_views_do_not_depend_on_those_of_others(network):
    rng = np.random.default_rng(1)
    x, where = matrix(rng, 30), np.array([3, 4, 20])
    rest = np.delete(np.arange(30), where)
    blind = network.logits(x, NONE, NOWHERE)
    seeing = network.logits(x, views(rng, 3), where)
    assert np.array_equal(blind[rest], seeing[rest])
    assert (np.abs(blind[where] - seeing[where]).max(axis=1) > 1e-4).all()


def test_rows_do_not_depend_on_their_company_nor_on_where_parts_end(network):
    rng = np.random.default_rng(1)
    rows = JUDGED + 3
    x, where = np.repeat(matrix(rng, 3), rows // 3 + 1, axis=0)[:rows], np.array([0, JUDGED - 1, JUDGED, rows - 1])
    seen = views(rng, 4)
    together = network.logits(x, seen, where)
    for number, row in enumerate(where):
        alone = network.logits(x[row : row + 1], seen[number : number + 1], np.zeros(1, dtype=np.int64))
        assert np.allclose(together[row], alone[0], atol=1e-5)
    # In whatever order the views are given.
    assert np.array_equal(together, network.logits(x, seen[::-1], where[::-1]))
    explained = network.contributions(x[: EXPLAINED + 2], seen[:1], np.array([EXPLAINED]))
    alone = network.contributions(x[EXPLAINED : EXPLAINED + 1], seen[:1], np.zeros(1, dtype=np.int64))
    assert np.allclose(explained[EXPLAINED], alone[0], atol=1e-5)


@given(
    seed=st.integers(0, 10**6),
    unknown=st.lists(st.sampled_from(range(len(FEATURE_NAMES))), unique=True),
    seeing=st.booleans(),
)
@examples(max_examples=25, deadline=None)
def test_contributions_sum_to_the_log_odds_and_the_unknown_adds_nothing(network, seed, unknown, seeing):
    rng = np.random.default_rng(seed)
    x = matrix(rng, 6, 0.0)
    x[:, unknown] = np.nan
    where = np.arange(0, 6, 2) if seeing else NOWHERE
    seen = views(rng, len(where))
    found = network.contributions(x, seen, where)
    n = len(FEATURE_NAMES)
    assert found.shape == (6, n + len(TINY.branches) + 1) == (6, len(network.reason_names) + 1)
    assert np.allclose(found.sum(axis=1), network.log_odds(x, seen, where), rtol=0, atol=1e-9)
    blind = np.setdiff1d(np.arange(6), where)
    assert not found[:, [*unknown, 2]].any()
    assert not found[np.ix_(blind, range(n, n + len(TINY.branches)))].any()
    assert np.ptp(found[:, -1]) == 0
    if MISSION not in unknown:
        assert (found[:, MISSION] != 0).all()


def test_what_the_sum_of_the_integral_lacks_is_small(network):
    rng = np.random.default_rng(2)
    x, where = matrix(rng, 60), np.arange(30)
    seen = views(rng, 30)
    for member in network.members:
        inputs = member.inputs(x, seen, where, len(TINY.branches))
        outputs = ("gradient_scalars", "gradient_embeddings", "gradient_known")
        parts = integrated(lambda at: tuple(member.head_outputs(at, outputs)), inputs)  # noqa: B023
        odds = Network(TINY, (member,)).log_odds(x, seen, where)
        nothing = tuple(np.zeros_like(one[:1]) for one in inputs)
        base = member.head_outputs(nothing, ("logits",))[0][0]
        lacking = sum(part.sum(axis=1) for part in parts) - (odds - (base[0] - base[2]))
        assert np.abs(lacking).max() < 1e-3 * np.ptp(odds)


def test_the_integral_of_a_polynomial_is_exact():
    at = (np.array([[2.0, 3.0], [1.0, -1.0]]), np.array([[5.0], [0.5]]))

    def gradient(given):  # of x0 x1 + y^3
        pair, y = given
        return pair[:, ::-1], 3 * y**2

    pair, y = integrated(gradient, at)
    assert np.allclose(pair, [[3, 3], [-0.5, -0.5]])
    assert np.allclose(y, [[125], [0.125]])


def test_what_is_lacking_is_spread_by_size():
    assert np.allclose(completed(np.array([[1.0, -3.0, 0.0]]), np.array([2.0])), [[2.0, 0.0, 0.0]])
    assert np.allclose(completed(np.zeros((1, 4)), np.array([2.0])), [[0.5] * 4])


def test_occlusion_is_the_loss_of_log_odds_when_a_window_is_flat(network):
    rng = np.random.default_rng(3)
    x, seen = matrix(rng, 1), views(rng, 1)
    found = network.occlusion(x[0], seen[0], Windows(global_phase=0.1, durations=2.0, steps=1))
    assert tuple(found) == SEEN_VIEWS
    assert [len(one.centre) for one in found.values()] == [11, 5, 5, 5, 5]
    here = np.zeros(1, dtype=np.int64)
    plain = network.log_odds(x, seen, here)[0]
    slices = branch_slices()
    # The middle window of the odd transits: one duration on either side, 25 bins of 0.04 durations each.
    flat = seen.copy()
    middle = slices["odd_even"].start + 100
    flat[0, middle - 25 : middle + 26] = 0
    assert found["odd_view"].centre[2] == 0
    assert found["odd_view"].unit == "durations"
    assert found["odd_view"].effect[2] == pytest.approx(plain - network.log_odds(x, flat, here)[0], abs=1e-5)
    flat = seen.copy()
    flat[0, slices["global"].stop - 101 : slices["global"].stop] = 0
    assert found["global_view"].centre[-1] == 0.5
    assert found["global_view"].effect[-1] == pytest.approx(plain - network.log_odds(x, flat, here)[0], abs=1e-5)
    assert any(np.abs(one.effect).max() > 1e-3 for one in found.values())


def test_a_part_that_is_flat_already_argues_for_nothing(network):
    rng = np.random.default_rng(3)
    x, seen = matrix(rng, 1), views(rng, 1)
    seen[0, branch_slices()["secondary"]] = 0
    assert np.abs(network.occlusion(x[0], seen[0])["secondary_view"].effect).max() < 1e-6


@pytest.mark.parametrize(
    ("columns", "shape", "where", "says"),
    [
        (len(FEATURE_NAMES) - 1, (0, VIEWS_WIDTH), [], "features"),
        (len(FEATURE_NAMES), (1, VIEWS_WIDTH), [], "views of 0 rows"),
        (len(FEATURE_NAMES), (1, VIEWS_WIDTH - 1), [0], "views of 1 rows"),
        (len(FEATURE_NAMES), (1, VIEWS_WIDTH), [4], "rows 4 to 4"),
        (len(FEATURE_NAMES), (1, VIEWS_WIDTH), [-1], "rows -1 to -1"),
    ],
)
def test_other_shapes_are_refused(network, columns, shape, where, says):
    given = (np.zeros((4, columns)), np.zeros(shape, dtype=np.float32), np.array(where, dtype=np.int64))
    for method in (network.logits, network.contributions):
        with pytest.raises(ValueError, match=says):
            method(*given)


def test_no_rows(network):
    none = np.empty((0, len(FEATURE_NAMES)))
    assert network.logits(none, NONE, NOWHERE).shape == (0, 3)
    assert network.contributions(none, NONE, NOWHERE).shape == (0, len(network.reason_names) + 1)


# -- files -----------------------------------------------------------------------------------------------------------


def test_files_round_trip(network):
    read = Network.from_files({**network.files(), "vetter.json": b"another's"})
    rng = np.random.default_rng(1)
    x, where = matrix(rng, 10), np.arange(5)
    seen = views(rng, 5)
    assert read.files() == network.files()
    assert read.digest == network.digest == pickle.loads(pickle.dumps(network)).digest
    assert read.settings == network.settings
    assert np.array_equal(read.logits(x, seen, where), network.logits(x, seen, where))
    assert tiny_network(0).digest != network.digest


def test_a_later_training_starts_from_the_weights_and_their_information(network):
    read = Network.from_files(network.files())
    for number, member in enumerate(network.members):
        start = read.start(number)
        assert np.array_equal(start.scaler.knots, member.scaler.knots)
        for kind in ("weights", "fisher"):
            kept, wanted = getattr(start, kind), getattr(member.start, kind)
            assert kept.keys() == wanted.keys()
            assert all(np.array_equal(kept[k], wanted[k]) and kept[k].dtype == wanted[k].dtype for k in wanted)


def test_every_damaged_or_missing_file_is_named(network):
    files = network.files()
    assert len(files) == 7
    for name, content in files.items():
        middle = len(content) // 2
        for damaged in (content[:middle], content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]):
            with pytest.raises(ValueError, match=rf"{name} is damaged"):
                Network.from_files({**files, name: damaged})
        with pytest.raises(FileNotFoundError, match=f"{name} is missing"):
            Network.from_files({k: v for k, v in files.items() if k != name})


def test_a_network_of_other_features_is_refused(network, monkeypatch):
    files = network.files()
    monkeypatch.setattr("exo_assets.training.network_files.FEATURE_NAMES", (*FEATURE_NAMES[:-1], "another"))
    with pytest.raises(ValueError, match="other features"):
        Network.from_files(files)
    monkeypatch.undo()
    monkeypatch.setattr("exo_assets.training.network_files.FORMAT", 2)
    with pytest.raises(ValueError, match="format 1"):
        Network.from_files(files)
    assert json.loads(files[MANIFEST])["format"] == 1


def test_scoring_does_not_need_torch(network, tmp_path: Path):
    for name, content in network.files().items():
        (tmp_path / name).write_bytes(content)
    code = f"""
import sys
sys.modules["torch"] = None
from pathlib import Path
import numpy as np
from exo_assets.training.network import Network
network = Network.from_files({{p.name: p.read_bytes() for p in Path({str(tmp_path)!r}).iterdir()}})
x = np.zeros((2, {len(FEATURE_NAMES)}))
given = x, np.ones((1, {VIEWS_WIDTH}), dtype=np.float32), np.array([1])
print(np.abs(network.contributions(*given).sum(axis=1) - network.log_odds(*given)).max() < 1e-9)
print(len(network.occlusion(x[0], given[1][0])))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "5"]
    assert done.stderr == ""
