from __future__ import annotations

import contextlib
import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ci_gate.measure.probes.metrics_page import MetricsPageProbe, sum_metrics

PAGE = b"""
# HELP shop_pool_in_use Connections in use.
# TYPE shop_pool_in_use gauge
shop_pool_in_use 4.0
# TYPE shop_requests_total counter
shop_requests_total{endpoint="GET /",status="200"} 40.0
shop_requests_total{endpoint="GET /",status="500"} 2.0
shop_requests_created{endpoint="GET /",status="200"} 1.7e+09
# TYPE shop_throttled_total counter
shop_pool_in_use_max 9.0
"""


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.accepted.append(self.headers["Accept"])
        with contextlib.suppress(OSError):
            match self.path:
                case "/metrics":
                    self.answer(200, PAGE)
                case "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/metrics")
                    self.end_headers()
                case "/huge":
                    self.answer(200, PAGE + b"# filler\n" * 600_000)
                case "/drip":
                    self.send_response(200)
                    self.end_headers()
                    while not self.server.closing.wait(0.1):
                        self.wfile.write(b"#\n")
                case "/chunks":
                    self.send_response(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.send_header("Content-Encoding", "gzip")
                    self.end_headers()
                    packed = gzip.compress(PAGE)
                    for part in (packed[:50], packed[50:], b""):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                case "/html":
                    self.answer(200, b"<html>shop_pool_in_use</html>")
                case "/broken":
                    self.answer(200, b"shop_pool_in_use four\n")
                case _:
                    self.answer(404, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        time.sleep(self.server.closes_after_s)

    def log_message(self, *_args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.closing, server.accepted, server.closes_after_s = threading.Event(), [], 0.0
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def read(server):
    notes = []

    def read(path="/metrics", **metrics):
        probe = MetricsPageProbe(
            f"http://127.0.0.1:{server.server_port}{path}", tuple(metrics.items()), notes.append
        )
        try:
            return probe.read()
        finally:
            probe.disconnect()

    read.notes = notes
    return read


def test_page__each_role_summed_over_its_labels(read, server):
    assert read(pool_in_use="shop_pool_in_use", requests="shop_requests_total") == {
        "pool_in_use": 4,
        "requests": 42,
    }
    assert server.accepted == ["text/plain;version=0.0.4"]


def test_page__in_packed_chunks(read):
    assert read("/chunks", pool_in_use="shop_pool_in_use") == {"pool_in_use": 4}


def test_page__a_metric_that_is_declared_and_has_no_sample_yet_is_zero(read):
    assert read(throttled="shop_throttled_total") == {"throttled": 0}


def test_page__a_metric_that_is_missing_is_left_out_and_noted_once(server):
    notes = []
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    probe = MetricsPageProbe(
        url, (("pool_in_use", "shop_pool_in_use"), ("pool_size", "shop_pool_sise")), notes.append
    )
    assert [probe.read(), probe.read()] == [{"pool_in_use": 4}] * 2
    assert notes == ["service: the page has no shop_pool_sise (pool_size) so far"]


def test_page__is_never_asked_for_on_a_connection_that_the_server_is_closing(server):
    server.closes_after_s = 0.2
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    probe = MetricsPageProbe(url, (("pool_in_use", "shop_pool_in_use"),), pytest.fail)
    assert [probe.read(), probe.read()] == [{"pool_in_use": 4}] * 2


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/metrics", ValueError, "the page has none of shop_pool"),
        ("/gone", ValueError, "/gone answered 404"),
        ("/moved", ValueError, "/moved answered 302"),
        ("/html", ValueError, "the page has none of shop_pool"),
        ("/huge", ValueError, "/huge is larger than 4 MiB"),
    ],
)
def test_page__that_cannot_be_used_is_an_error(read, path, error, message):
    with pytest.raises(error, match=message):
        read(path, pool_size="shop_pool")


def test_page__of_another_format_is_an_error(read):
    with pytest.raises(ValueError, match="four"):
        read("/broken", pool_in_use="shop_pool_in_use")


def test_page__that_never_ends_is_left_after_five_seconds(read):
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="took longer than 5 s"):
        read("/drip", pool_in_use="shop_pool_in_use")
    assert time.monotonic() - began < 30  # the page would take hours


def test_no_service__is_told():
    probe = MetricsPageProbe("http://127.0.0.1:1/metrics", (("requests", "x"),), print)
    with pytest.raises(requests.ConnectionError, match="refused"):
        probe.read()


def test_sums__an_old_counter_without_total_has_its_own_name():
    page = "# TYPE shop_errors counter\nshop_errors 3\n"
    assert sum_metrics(page, {"shop_errors"}) == {"shop_errors": 3}
    assert sum_metrics(page, {"shop_errors_total"}) == {}


def test_sums__a_histogram_is_no_number():
    page = '# TYPE shop_seconds histogram\nshop_seconds_bucket{le="1"} 3\nshop_seconds_count 3\n'
    assert sum_metrics(page, {"shop_seconds"}) == {}
    assert sum_metrics(page, {"shop_seconds_count"}) == {"shop_seconds_count": 3}


NAMES = st.sampled_from(["a", "a_b", "a_total", "b", "b_size"])


@given(
    st.dictionaries(NAMES, st.lists(st.integers(0, 10**9), max_size=4), max_size=5),
    st.sets(NAMES.flatmap(lambda name: st.sampled_from([name, f"{name}_total"]))),
    st.booleans(),
)
def test_sums__are_those_of_the_whole_page_parsed(metrics, names, is_counter):
    registry = CollectorRegistry()
    for name, values in metrics.items():
        with contextlib.suppress(ValueError):  # a and a_total are one name to a Counter
            metric = (Counter if is_counter else Gauge)(name, "as drawn", ["label"], registry=registry)
            for number, value in enumerate(values):
                metric.labels(f'"{number}"\n').inc(value)
    page = generate_latest(registry).decode()
    expected = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in names:
                expected[sample.name] = expected.get(sample.name, 0) + sample.value
    sums = sum_metrics(page, names)
    assert {name: value for name, value in sums.items() if name in expected or value} == expected
    assert sums.keys() <= names
