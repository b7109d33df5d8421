"""Which symlinks of a folder may come with it, and what they hold then."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.outputs import LeadsOutError, links_to_make, stays_inside

HOMES = {"/scratch/me/s/work/000001.1/7/out", "000001.1/7/out"}


@pytest.mark.parametrize(
    ("path", "text", "made"),
    [
        ("l", "x", "x"),
        ("l", "sub/../x", "sub/../x"),
        ("sub/l", "../x", "../x"),
        ("sub/l", "..", ".."),
        ("l", ".", "."),
        ("l", "nowhere/at/all", "nowhere/at/all"),
        ("l", "l", "l"),
        ("l", "/scratch/me/s/work/000001.1/7/out/sub/x", "sub/x"),
        ("a/b/l", "/scratch//me/./s/work/000001.1/7/out/x", "../../x"),
        ("a/l", "/scratch/me/s/work/000001.1/7/out", ".."),
        ("l", "/scratch/me/s/work/000001.1/7/out/", "."),
        ("l", "/tmp/locusts.Xy3/000001.1/7/out/x", "x"),
        ("l", "/mnt/other/name/s/work/000001.1/7/out/x", "x"),
    ],
)
def test_what_stays_inside(path: str, text: str, made: str) -> None:
    assert links_to_make({path: text}, HOMES) == {path: made}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("l", ".."),
        ("l", "../out/x"),
        ("l", "/etc/passwd"),
        ("l", "/"),
        ("l", "sub/../../x"),
        ("sub/l", "../../x"),
        ("l", "/scratch/me/s/work/000001.1/7/other"),
        ("l", "/scratch/me/s/work/000001.1/7/output/x"),
        ("l", "/scratch/me/s/work/000001.1/7/out/../x"),
        ("l", "/tmp/locusts.Xy3/000001.1/8/out/x"),
        ("l", ""),
    ],
)
def test_what_leads_out(path: str, text: str) -> None:
    with pytest.raises(LeadsOutError, match=f"^{path} in it: it is a link that leads out of the folder, to "):
        links_to_make({path: text}, HOMES)


def test_links_over_links_are_followed() -> None:
    """To leave out what lies between two slashes is not what the kernel does."""
    assert not stays_inside("l", {"l": "d/..", "d": "."})
    assert not stays_inside("l", {"l": "d/../..", "d": "a/b", "a/b": "/etc"})
    assert not stays_inside("l", {"l": "m", "m": "n", "n": "../x"})
    assert stays_inside("l", {"l": "d/../../x", "d": "a/b/c"}), "by its words alone it would lead out"
    assert stays_inside("l", {"l": "m/x", "m": "n", "n": "l"}), "a circle leads nowhere"


NAMES = st.sampled_from(["a", "b", "c", "d/e", "d/f"])
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "..", ".", ""]), min_size=1, max_size=4).map("/".join)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, TEXTS.filter(lambda text: text and text[0] != "/"), min_size=1))
def test_the_kernel_sees_it_the_same_way(tmp_path_factory: pytest.TempPathFactory, links: dict[str, str]) -> None:
    """What is let through leads nowhere outside, whichever way one goes over the others."""
    folder = tmp_path_factory.mktemp("links") / "out"
    (folder / "d").mkdir(parents=True)
    for path, text in links.items():
        (folder / path).symlink_to(text)
    for path in links:
        real = os.path.realpath(folder / path)
        if (folder / path).exists() and real != str(folder) and not real.startswith(f"{folder}/"):
            assert not stays_inside(path, links)
