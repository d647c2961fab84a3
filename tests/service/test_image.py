from __future__ import annotations

import pytest

from ci_gate.errors import ServiceError
from ci_gate.service.image import split_tag
from ci_gate.service.start import start_service
from tests.images import image_with, python_image
from tests.service.services import APP, containers_of, make_service


@pytest.mark.docker
def test_dockerfile__is_built_from_the_repository_and_run(engine, placement, watchdog):
    folder = placement.repository / "deploy"
    folder.mkdir()
    (folder / "app.py").write_text(APP.read_text())
    (folder / "Dockerfile").write_text(
        f"FROM {python_image()}\nCOPY deploy/app.py /srv/\n"
        'CMD ["python3", "-u", "/srv/app.py", "--host", "0.0.0.0", "--port", "8000"]\n'
    )
    messages = []
    service = make_service("dockerfile", "deploy/Dockerfile")
    with start_service(service, placement, watchdog=watchdog, on_progress=messages.append) as running:
        image = engine.api.inspect_container(running.container_id)["Image"]
        assert any("COPY deploy/app.py" in line for line in messages)
    assert containers_of(engine, image) == []
    engine.images.remove(image, force=True)


@pytest.mark.docker
def test_dockerfile__whose_build_fails_shows_the_step_and_its_output(placement, watchdog):
    (placement.repository / "Dockerfile").write_text(f"FROM {python_image()}\nRUN echo a clue; exit 7\n")
    with (
        pytest.raises(
            ServiceError, match=r"the build of .*Dockerfile failed: .*returned a non-zero code: 7"
        ) as caught,
        start_service(make_service("dockerfile", "Dockerfile"), placement, watchdog=watchdog),
    ):
        pytest.fail("built")
    assert "RUN echo a clue" in caught.value.log_tail
    assert caught.value.log_tail.splitlines()[-1] == "a clue"


@pytest.mark.docker
def test_dockerfile__with_a_syntax_error_or_that_is_missing(engine, placement, watchdog):
    service = make_service("dockerfile", "Dockerfile")
    with (
        pytest.raises(ServiceError, match="no Dockerfile at"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("built")
    (placement.repository / "Dockerfile").write_text("FORM scratch\n")
    with pytest.raises(ServiceError, match="FORM"), start_service(service, placement, watchdog=watchdog):
        pytest.fail("built")


@pytest.mark.docker
def test_dockerfile__that_needs_buildkit_says_what_to_do(placement, watchdog):
    (placement.repository / "Dockerfile").write_text(
        f"FROM {python_image()}\nRUN --mount=type=cache,target=/x true\n"
    )
    with (
        pytest.raises(ServiceError, match=r"docker buildx build --load"),
        start_service(make_service("dockerfile", "Dockerfile"), placement, watchdog=watchdog),
    ):
        pytest.fail("built")


@pytest.mark.docker
def test_image_with__has_the_packages(engine):
    image = image_with("h11>=0.14")
    printed = engine.containers.run(image, ["python", "-c", "import h11; print('imported')"], remove=True)
    assert printed == b"imported\n"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("app", ("app", "latest")),
        ("app:1.2", ("app", "1.2")),
        ("localhost:5000/app", ("localhost:5000/app", "latest")),
        ("localhost:5000/app:1", ("localhost:5000/app", "1")),
        ("app@sha256:abc", ("app@sha256:abc", None)),
    ],
)
def test_split_tag__never_asks_for_all_tags(reference, expected):
    assert split_tag(reference) == expected
