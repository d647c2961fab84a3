from __future__ import annotations

import pytest

from reference_service.faults import FAULT_NAMES, NO_FAULTS, Faults, parse_faults
from reference_service.quantities import Rate, parse_count, parse_duration_s, parse_rate, parse_share
from reference_service.settings import Settings, SettingsError, parse_settings


def test_settings__default_without_environment() -> None:
    settings = parse_settings({"PATH": "/bin", "REDIS_URL": ""})
    assert settings == Settings()
    assert (settings.pool_size, settings.redis_url, settings.throttle_user) == (5, None, None)


def test_settings__read_every_variable() -> None:
    settings = parse_settings(
        {
            "DATABASE_URL": "postgresql://db/x",
            "REDIS_URL": "redis://cache/0",
            "POOL_SIZE": "7",
            "POOL_TIMEOUT_S": "1.5",
            "THROTTLE_USER": "5/s",
            "THROTTLE_ADDRESS": "100/m",
            "SESSION_LIFETIME": "2m",
            "FAULTS": "login_broken",
            "SEED_USERS": "3",
            "SEED_PENDING": "4",
            "SEED_PASSWORD": "secret",
        }
    )
    assert settings == Settings(
        database_url="postgresql://db/x",
        redis_url="redis://cache/0",
        pool_size=7,
        pool_timeout_s=1.5,
        throttle_user=Rate(count=5, period_s=1),
        throttle_address=Rate(count=100, period_s=60),
        session_lifetime_s=120,
        faults=Faults(login_broken=True),
        seed_users=3,
        seed_pending=4,
        seed_password="secret",
    )
    assert "secret" not in repr(settings)


def test_settings__name_every_wrong_variable() -> None:
    wrong = {"DATABASE_URL": "mysql://x", "POOL_SIZE": "0", "POOL_TIMEOUT_S": "soon", "FAULTS": "gremlins"}
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "POOL_SIZE",
        "POOL_TIMEOUT_S",
        "FAULTS",
        "DATABASE_URL",
    ]


def test_faults__none_is_on_by_default() -> None:
    assert parse_faults("") == parse_faults(" , ") == NO_FAULTS


@pytest.mark.parametrize("name", FAULT_NAMES)
def test_faults__each_name_alone_switches_that_one_on(name: str) -> None:
    faults = parse_faults(name)
    assert getattr(faults, name)
    assert [other for other in FAULT_NAMES if getattr(faults, other)] == [name]


def test_faults__take_parameters() -> None:
    assert parse_faults("extra_cpu=3ms, crash_after=7,throttle=9/s,debug_error_pages=2.5%") == Faults(
        extra_cpu=0.003, crash_after=7, throttle=Rate(count=9, period_s=1), debug_error_pages=0.025
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gremlins", "no fault is called 'gremlins'; there are crash_after"),
        ("extra_cpu=3", "'3' is no duration"),
        ("login_broken=yes", "takes no parameter"),
        ("extra_cpu,extra_cpu=3ms", "given twice"),
        ("debug_error_pages=0%", "'0%' is no share"),
    ],
)
def test_faults__refuse_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_faults(text)


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("1.5s", 1.5), ("2m", 120.0)])
def test_duration__in_seconds(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "3", "-1s", "3 s", "1e3s", "nans", "3h"])
def test_duration__refuses(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "0/s", "5", "5/h", "-5/s", "1.5/s"])
def test_rate__refuses(text: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["", "5", "101%", "-1%"])
def test_share__refuses(text: str) -> None:
    with pytest.raises(ValueError, match="no share"):
        parse_share(text)


@pytest.mark.parametrize("text", ["", "0", "1.0", "-3", "ten"])
def test_count__refuses(text: str) -> None:
    with pytest.raises(ValueError, match="no whole number"):
        parse_count(text)
