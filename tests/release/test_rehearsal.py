"""A release can be published, installed and upgraded; the rehearsal is a long test."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pypiserver", reason="the release's tools are in .venv only")

from scripts.rehearse import Publisher, RehearsalError, main


@pytest.mark.soak
@pytest.mark.integration
def test_release_is_published_installed_deployed_and_upgraded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The rehearsal passes, from the upload to the upgrade."""
    with capsys.disabled():
        assert main() == 0


def test_rejects_an_index_elsewhere(tmp_path: Path) -> None:
    """A rehearsal never uploads anything to another machine."""
    publisher = Publisher(tmp_path)
    with pytest.raises(RehearsalError, match=r"publishes to 127\.0\.0\.1 only"):
        publisher.publish(tmp_path, "https://index.example.com/legacy/")
