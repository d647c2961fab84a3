from __future__ import annotations

import socket
import threading

import pytest

from ci_gate.errors import EXIT_OUTSIDE_WORLD
from ci_gate.github.api.reply import GitHubError, RefusedError
from ci_gate.github.api.transport import MAX_JSON_BYTES, Transport
from tests.servers import free_port

ISSUE = "/repos/shop/shop/issues/7/comments"


def post(transport, find=lambda: None):
    return transport.post_once(
        ISSUE, {"body": "hello"}, read=lambda reply: reply.read(dict)["body"], find=find
    )


def test_token__shows_nowhere(connect):
    transport = connect(token="token")
    assert "token" not in repr(transport)
    assert "token" not in repr(vars(transport))


def test_wrong_token__is_refused_in_githubs_words(connect):
    with pytest.raises(RefusedError, match=r"GET /user: HTTP 401 Bad credentials") as caught:
        connect(token="wrong").get("/user")
    assert caught.value.exit_code == EXIT_OUTSIDE_WORLD
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504, None])
def test_get__is_asked_again_after_a_failure(issue, connect, clock, status):
    issue.fail("GET", "comments", times=3, status=status)
    assert connect().get(ISSUE).read(list) == []
    assert issue.count("GET") == 4
    assert clock.slept == [1.0, 2.0, 4.0]


def test_get__gives_up_after_six_attempts_and_says_why(issue, connect):
    issue.fail("GET", "comments", times=99, status=502, message="Server Error")
    with pytest.raises(GitHubError, match=r"GET /repos/shop/shop/issues/7/comments: HTTP 502 Server Error"):
        connect().get(ISSUE)
    assert issue.count("GET") == 6


def test_no_server__is_said_after_six_attempts(connect, clock, session):
    url = f"http://127.0.0.1:{free_port()}"
    transport = Transport(session, base_url=url, token="token", patience=clock.patience())
    with pytest.raises(GitHubError, match="no reply: ConnectionError"):
        transport.get("/user")
    assert len(clock.slept) == 5


@pytest.mark.parametrize("status", [403, 404, 422])
def test_refusal__is_not_asked_again(issue, connect, status):
    issue.fail("GET", "comments", status=status)
    with pytest.raises(GitHubError, match=f"HTTP {status} on demand"):
        connect().get(ISSUE)
    assert issue.count("GET") == 1


def test_primary_rate_limit__is_waited_for(issue, connect, clock):
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.now_s) + 30)}
    issue.fail("GET", "comments", status=403, headers=headers)
    connect().get(ISSUE)
    assert clock.slept == [31.0]


@pytest.mark.parametrize(
    ("headers", "message", "waited_s"),
    [({"Retry-After": "7"}, "", 7.0), ({}, "You have exceeded a secondary rate limit", 60.0)],
)
def test_secondary_rate_limit__is_waited_for_and_the_post_repeated(
    issue, connect, clock, headers, message, waited_s
):
    issue.fail("POST", "comments", status=403, headers=headers, message=message)
    assert post(connect()) == "hello"
    assert clock.slept == [waited_s]
    assert len(issue.state.comments[7]) == 1


def test_wait__beyond_the_total_is_refused_at_once(issue, connect, clock):
    issue.fail("GET", "comments", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(GitHubError, match=r"HTTP 429 .* would take 3600 s, beyond 300 s in all"):
        connect().get(ISSUE)
    assert clock.slept == []


def test_total__is_for_all_requests_together(issue, connect, clock):
    transport = connect(total_s=100.0)
    issue.fail("GET", "comments", times=2, status=429, headers={"Retry-After": "60"})
    with pytest.raises(GitHubError, match="beyond 100 s in all"):
        transport.get(ISSUE)
    assert clock.slept == [60.0]


@pytest.mark.parametrize("status", [500, 502, None])
def test_post__that_was_done_is_found_and_not_repeated(issue, connect, status):
    issue.fail("POST", "comments", status=status, done=True)
    assert post(connect(), find=lambda: "found") == "found"
    assert issue.count("POST") == 1


@pytest.mark.parametrize("status", [500, 502, None])
def test_post__that_was_not_done_is_repeated_after_looking(issue, connect, status):
    issue.fail("POST", "comments", times=2, status=status)
    looked = []
    assert post(connect(), find=lambda: looked.append(1)) == "hello"
    assert (issue.count("POST"), len(looked)) == (3, 2)


def test_post__gives_up_at_last(issue, connect):
    issue.fail("POST", "comments", times=99)
    with pytest.raises(GitHubError, match=r"POST .*: HTTP 500 on demand"):
        post(connect())
    assert issue.count("POST") == 6


def test_post__never_sent_needs_no_look(connect, clock, session):
    transport = Transport(
        session, base_url=f"http://127.0.0.1:{free_port()}", token="token", patience=clock.patience()
    )
    looked = []
    with pytest.raises(GitHubError, match="no reply: ConnectionError"):
        post(transport, find=lambda: looked.append(1))
    assert looked == []


def test_pages__are_followed_to_the_last(issue, connect):
    for number in range(250):
        issue.state.add_comment(7, "somebody", str(number))
    pages = list(connect().get_pages(ISSUE))
    assert [len(page.read(list)) for page in pages] == [100, 100, 50]
    assert [each["body"] for page in pages for each in page.read(list[dict])] == list(map(str, range(250)))


def test_next_page__on_another_host_gets_no_token(issue, connect):
    issue.state.add_comment(7, "somebody", "x")
    link = {"Link": f'<http://localhost:{free_port()}/steal>; rel="next"'}
    issue.fail("GET", "comments", status=200, message="x", headers=link)
    with pytest.raises(GitHubError, match="leads to another host"):
        list(connect().get_pages(ISSUE))


def test_redirect_of_a_post__is_an_error_and_not_a_get(issue, connect):
    issue.fail("POST", "comments", status=301, headers={"Location": f"{issue.url}/user"}, message="Moved")
    with pytest.raises(GitHubError, match="HTTP 301 Moved"):
        post(connect())
    assert issue.count("GET") == 0


def test_reply__that_is_not_as_documented_is_an_error(issue, connect):
    with pytest.raises(GitHubError, match="not as documented"):
        connect().get(ISSUE).read(dict)


def test_reply__beyond_the_cap_is_not_read(issue, connect):
    issue.state.add_comment(7, "somebody", "x" * 2000)
    with pytest.raises(GitHubError, match="the reply is larger than 1,000 bytes"):
        connect().get(ISSUE, max_bytes=1000)
    assert len(connect().get(ISSUE, max_bytes=MAX_JSON_BYTES).content) > 2000


def test_reply__that_drips_ends_with_the_total_time(clock, session):
    """A byte now and then never meets the time-out between two bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
                clock.now_s += 400
                connection.sendall(b"1\r\nx\r\n0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        transport = Transport(session, base_url=url, token="token", patience=clock.patience())
        with pytest.raises(GitHubError, match="not done within 300 s"):
            transport.get("/user")
        thread.join()
