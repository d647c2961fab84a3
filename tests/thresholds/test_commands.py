"""Commands that only a shell would understand are told apart from those that need none."""

from __future__ import annotations

import pytest

from ci_gate.thresholds.commands import explain_no_shell, find_shell_syntax


@pytest.mark.parametrize(
    ("command", "syntax"),
    [
        ("cd shop && python serve.py {port}", "cd"),
        ("python migrate.py && python serve.py {port}", "&&"),
        ("python migrate.py; python serve.py {port}", ";"),
        ("python serve.py {port} | tee log", "|"),
        ("python serve.py {port} || true", "||"),
        ("python serve.py {port} > log.txt", ">"),
        ("python serve.py {port} 2>&1", "2>&1"),
        ("python serve.py {port} >>log", ">>log"),
        ("python load.py < rows.sql", "<"),
        ("python serve.py {port} &", "&"),
        ("DEBUG=1 python serve.py {port}", "DEBUG=1"),
        ("source .venv/bin/activate", "source"),
        ("sh -c 'cd shop && python serve.py {port}'", ""),
        ('python -c "import shop; shop.reset()"', ""),
        ("python serve.py --port {port} --url http://localhost/?a=1&b=2", ""),
        ("env DEBUG=1 python serve.py {port}", ""),
        ("python serve.py --filter 'a|b' -x \\; {port}", ""),
        ("python serve.py --set key=value {port}", ""),
    ],
)
def test_syntax__that_surely_means_a_shell(command, syntax):
    assert find_shell_syntax(command) == syntax
    assert bool(syntax) <= bool(explain_no_shell(command))


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("python ~/serve.py {port}", "~"),
        ("python serve.py {port} fixtures/*.sql", "fixtures/*.sql"),
        ("python serve.py {port} $(cat version)", "$("),
        ("python serve.py {port} --db $DATABASE_URL", "$DATABASE_URL"),
        ("python serve.py {port} `hostname`", "`"),
    ],
)
def test_syntax__that_may_be_meant_as_it_stands_is_a_hint_where_the_command_failed(command, found):
    assert find_shell_syntax(command) == ""
    assert f"there is no shell that would read `{found}`: write sh -c '" in explain_no_shell(command)


def test_hint__there_is_none_for_a_plain_command():
    assert explain_no_shell("python -m shop --port {port} --name 'a b'") == ""


def test_hint__quotes_what_has_quotes():
    assert explain_no_shell("cd 'my shop' && serve {port}").endswith(
        """write sh -c 'cd '"'"'my shop'"'"' && serve {port}'"""
    )
