"""The proofs of the rules about the locustfile."""

from __future__ import annotations

from tests.judge.proof import SHORT, Proof

PAGES = f"{SHORT}200 GET /account 200 5ms\n100 GET /orders 200 5ms\n100 POST /orders 200 5ms\n"

LOCUSTFILE_PROOFS = (
    Proof(
        "locustfile-ignored",
        "unused class Spike(LoadTestShape): would have decided how many users run",
        "class Spike(LoadTestShape) is not used; it would have decided how many users run",
        "replaced LOCUST_USERS: users in thresholds.yaml says it",
    ),
    Proof(
        "settings-replaced",
        "replaced LOCUST_USERS: users in thresholds.yaml says it",
        "LOCUST_USERS is not used: users in thresholds.yaml says it",
        "unused tags in locust.conf: would have left out the tasks partner",
    ),
    Proof(
        "locustfile-failed",
        "exit code 1: checking / the books do not balance",
        "set process_exit_code = 1; it printed last: checking / the books do not balance",
        "",
    ),
    Proof("locustfile-failed", "exit code 'no':", "process_exit_code = 'no', and printed nothing", ""),
    Proof(
        "locustfile-stopped",
        "stopped by books.py:14, in watch: enough / is enough\nstopping at 12 s",
        "the locustfile ended the test (books.py:14, in watch): 12.0 s of 20 s were measured; "
        "it printed last: enough / is enough",
        "",
    ),
    Proof(
        "locustfile-stopped",
        "stopped by nobody:\nstopping at 12 s",
        "the locustfile ended the test: 12.0 s of 20 s were measured, and printed nothing",
        "",
    ),
    Proof(
        "own-host",
        "own host Lines 127.0.0.1:90",
        "Lines it is no HTTP user and kept its own host 127.0.0.1:90",
        "",
    ),
    Proof(  # a site that sends every page to one
        "redirected",
        f"{PAGES}200 of GET /account from /account by /welcome\n50 of GET /orders from /orders by /welcome",
        "GET /orders 50 of 100 replies came from /welcome, by redirects from /orders",
        f"{PAGES}200 of GET /account from /account by /welcome\n50 of GET /orders from /orders by /all",
    ),
    Proof(  # a change is answered by a redirect to its result, and so are several changes of one thing
        "redirected",
        f"{PAGES}9 of GET /account from /account by /cart\n9 of GET /orders from /orders by /cart",
        "9 of 200 replies came from /cart",
        f"{PAGES}9 of POST /orders from /orders by /cart\n9 of POST /cart from /cart/7 by /cart\n"
        "9 of GET /account from /account by /cart\n9 POST /cart 200 5ms",
    ),
    Proof(  # two names for one page are one page
        "redirected",
        f"{PAGES}9 of GET /account from /a by /b\n9 of GET /orders from /c by /b",
        "came from /b",
        f"{PAGES}9 of GET /account from /a by /b\n9 of GET /orders from /a/ by /b",
    ),
    Proof(  # many pages under one name are many
        "redirected",
        f"{PAGES}200 of GET /account from /account/1 and /account/2 by /",
        "200 of 200 replies came from /, by redirects from /account/1, /account/2 ...",
        f"{PAGES}200 of GET /account from /account/1 by /\n"
        "100 of POST /orders from /orders/1 and /orders/2 by /",
    ),
    Proof(  # a login is never what a page is
        "redirected",
        f"{PAGES}2 of GET /account from /account by /accounts/login/",
        "GET /account 2 of 200 replies came from /accounts/login/",
        f"{PAGES}1 of GET /account from /account by /accounts/login/",
    ),
    Proof(  # but the way out may lead to it, and the way in from one step to the next
        "redirected",
        f"{PAGES}100 of POST /orders from /orders by /users/sign_in",
        "POST /orders 100 of 100 replies came from /users/sign_in",
        f"{PAGES}9 POST /logout 200 5ms\n9 of POST /logout from /logout by /login\n"
        "9 POST /login 200 5ms\n9 of POST /login from /login by /login/code",
    ),
    Proof(  # as a word of the path, and only so
        "redirected",
        f"{PAGES}2 of GET /account from /account by /users/login_form",
        "2 of 200 replies came from /users/login_form",
        f"{PAGES}2 of GET /account from /account by /blogs/logins-of-authors",
    ),
    Proof(
        "redirected",
        f"{PAGES}2 of GET /account from /account by /auth",
        "2 of 200 replies came from /auth",
        f"{PAGES}2 of GET /account from /account by /author",
    ),
    Proof(  # a site's first page may be another one, which a reader is to know
        "other-page",
        f"{PAGES}200 of GET /account from /account by /home",
        "GET /account 200 of 200 replies came from /home, by redirects from /account",
        f"{PAGES}99 of GET /account from /account by /home\n100 of POST /orders from /orders by /cart",
    ),
    Proof(  # what is no login is not told twice
        "other-page",
        f"{PAGES}200 of GET /account from /account by /welcome\n50 of GET /orders from /orders by /all",
        "GET /account 200 of 200",
        f"{PAGES}200 of GET /account from /account by /welcome\n100 of GET /orders from /orders by /welcome",
    ),
    Proof(  # what is asked for in the ramp only is not judged
        "redirected",
        f"{PAGES}100 of POST /orders from /orders by /login",
        "came from /login",
        f"{SHORT}500 GET /items 200 5ms\n9 GET /start 200 5ms ramp\n9 of GET /start from /start by /login",
    ),
)
