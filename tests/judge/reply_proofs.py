"""The proofs of the rules about replies and about the load."""

from __future__ import annotations

from tests.judge.proof import SHORT, Proof

SLOW = f"{SHORT}limit all p50 100ms\nlimit GET /items p95 150ms\n600 GET /items 200 200-400ms\n"

REPLY_AND_LOAD_PROOFS = (
    Proof("endpoint-never-called", "expect GET /cart", "never called", "expect GET /items"),
    Proof(
        "endpoint-never-called",
        "limit GET /cart p50 1s\n99 GET /cart 200 5ms ramp",
        "never called in the steady",
        "",
    ),
    Proof(
        "endpoint-never-succeeded",
        "9 GET /cart 500 5ms",
        "not one success in 9 requests (500 x 9)",
        "8 GET /cart 500 5ms\n1 GET /cart 200 5ms",
    ),
    Proof(
        "endpoint-never-succeeded",
        "9 GET /cart 404 5ms",
        "404 x 9",
        "9 GET /cart 404 5ms\naccept GET /cart 404",
    ),
    Proof(
        "only-accepted-errors",
        "9 GET /cart 400 5ms\naccept GET /cart 400",
        "(400)",
        "9 GET /cart 399 5ms\naccept GET /cart 400",
    ),
    Proof(
        "only-accepted-errors",
        "9 GET /cart 404 5ms\naccept GET /cart 404",
        "all 9 successes are errors that accept lists (404)",
        "9 GET /cart 404 5ms\n1 GET /cart 200 5ms\naccept GET /cart 404",
    ),
    Proof(
        "too-few-samples",
        "limit GET /items p99 1s",
        "p99 takes 1,000 successes, there were 600",
        "400 GET /items 200 5ms\nlimit GET /items p99 1s",
    ),
    Proof(
        "too-few-samples",
        "10 ShopUser\n9 GET /cart 500 5ms\nlimit all p50 1s",
        "p50 takes 20 successes, there were 0",
        "20 GET /cart 200 5ms\nlimit GET /cart p50 1s",
    ),
    Proof(
        "status-not-accepted",
        "1 GET /items 500 5ms",
        "status 500 x 1 of 601",
        "1 GET /items 404 5ms\naccept GET /items 404",
    ),
    Proof(
        "throttled",
        "1 GET /items 429 5ms",
        "1 of 601 requests was throttled (429)",
        "1 GET /items 429 5ms\naccept GET /items 429",
    ),
    Proof("throttled", "1 POST /login 429 5ms ramp", "POST /login", ""),
    Proof(
        "throttled",
        "2 GET /items 503 5ms retry-after",
        "2 of 602 requests were throttled (503)",
        "2 GET /items 503 5ms",
    ),
    Proof("throttled", "2 GET /items 403 5ms retry-after", "(403)", "2 GET /items 200 5ms retry-after"),
    Proof(
        "auth-failing",
        f"{SHORT}99 GET /a 200 5ms\n1 GET /a 403 5ms",
        "1 of 100 requests was refused (403)",
        f"{SHORT}100 GET /a 200 5ms\n1 GET /a 403 5ms",
    ),
    Proof(
        "auth-failing", "7 GET /items 401 5ms", "7 of 607 requests were refused (401)", "6 GET /items 401 5ms"
    ),
    Proof(
        "auth-failing",
        "1 POST /login 403 5ms ramp",
        "1 of 1 request was refused (403)",
        "1 POST /login 403 5ms ramp\naccept POST /login 403",
    ),
    Proof(
        "uniform-body",
        f"{SHORT}30 GET /a 200 5ms same-body\n30 GET /b 200 5ms same-body\n9 DELETE /a 204 5ms empty",
        "60 replies of 2 endpoints",
        f"{SHORT}60 GET /a 200 5ms same-body\n9 DELETE /a 204 5ms empty",
    ),
    Proof(
        "uniform-body",
        f"{SHORT}300 GET /a 200 5ms same-body\n300 GET /b 200 5ms same-body",
        "600 replies of 2 endpoints, and every one has the same body (100 bytes)",
        f"{SHORT}300 GET /a 200 5ms same-body\n299 GET /b 200 5ms same-body\n1 GET /b 200 5ms",
    ),
    Proof(
        "uniform-body",
        f"{SHORT}5 GET /a 404 5ms same-body\n5 GET /b 404 5ms same-body",
        "10 replies",
        f"{SHORT}300 GET /a 200 5ms same-body\n300 DELETE /a 204 5ms empty",
    ),
    Proof(
        "html-replies",
        "2000 DELETE /items 204 5ms empty\n10 DELETE /items 500 5ms html",
        "10 of 10 replies are HTML",
        "",
    ),
    Proof(
        "html-replies",
        f"{SHORT}9 GET /a 200 5ms html same-body\n9 GET /b 200 5ms html same-body\n"
        "9 GET /c 200 5ms\n9 GET /d 200 5ms",
        "9 of 9 replies are HTML, 9 of them successes, and another endpoint answers the very same",
        f"{SHORT}9 GET /a 200 5ms html same-body\n9 GET /b 200 5ms html\n9 GET /c 200 5ms\n9 GET /d 200 5ms",
    ),
    Proof(
        "html-replies",
        "1 GET /items 200 5ms html",
        "1 of 601 replies is HTML, 1 of them successes",
        "1 GET /items 200 5ms",
    ),
    Proof(
        "html-replies",
        "7 GET /items 502 5ms html",
        "7 of 607 replies are HTML, 0 of them",
        "6 GET /items 502 5ms html",
    ),
    Proof(
        "html-replies",
        f"{SHORT}1 GET /a 200 5ms ramp\n9 GET /a 200 5ms html\n9 GET /b 200 5ms",  # something else, then HTML
        "9 of 10 replies are HTML",
        f"{SHORT}1 GET /a 200 5ms html ramp\n9 GET /a 200 5ms html\n9 GET /b 200 5ms",  # a page beside an API
    ),
    Proof(
        "html-replies",  # of a site, whose pages are all one
        f"{SHORT}9 GET /a 200 5ms html same-body\n9 GET /b 200 5ms html same-body\n9 GET /api 200 5ms",
        "9 of 9 replies are HTML",
        f"{SHORT}9 GET /a 200 5ms html same-body\n9 GET /b 200 5ms html same-body\n9 GET /c 200 5ms html\n"
        "9 GET /api 200 5ms",
    ),
    Proof(
        "html-replies",  # of a site, in place of something else
        f"{SHORT}9 GET /a 200 5ms html\n9 GET /b 200 5ms html\n"
        "1 GET /api 200 5ms ramp\n9 GET /api 200 5ms html",
        "9 of 10 replies are HTML",
        f"{SHORT}9 GET /a 200 5ms html\n9 GET /b 200 5ms html\n"
        "1 GET /api 200 5ms html ramp\n9 GET /api 200 5ms",
    ),
    Proof(
        "html-replies",  # failures of a page are pages
        f"{SHORT}9 GET /a 200 5ms\n9 GET /a 500 5ms html\n9 GET /b 200 5ms",
        "9 of 18 replies are HTML, 0 of them",
        f"{SHORT}9 GET /a 200 5ms html\n9 GET /a 500 5ms html\n9 GET /b 200 5ms",
    ),
    Proof(
        "page-beside-api",
        f"{SHORT}1 GET /a 200 5ms html ramp\n9 GET /a 200 5ms html\n30 GET /b 200 5ms",
        "all 10 successes are HTML: taken for a page, beside 1 endpoint of something else",
        f"{SHORT}9 GET /a 200 5ms html\n9 GET /b 200 5ms html\n9 GET /c 200 5ms",
    ),
    Proof(
        "generator-busy",
        f"{SHORT}steady 40 s\n900 GET /items 200 5ms\nreading 1-5 s cpu 90",
        "40 % of a core at the median, 90 % at most; 90 % or more in 5 of 40 readings",
        f"{SHORT}steady 40 s\n900 GET /items 200 5ms\nreading 1-4 s cpu 100",
    ),
    Proof(
        "generator-busy",
        "reading 1-3 s cpu 95",
        "95 % at most; 90 % or more in 3 of 20 readings",
        "reading 1-2 s cpu 95",
    ),
    Proof(
        "generator-late",
        f"{SHORT}900 GET /items 200 5ms\nreading 1-10 s lag 500",
        "late by 500 ms or more in 10 readings, 500 ms at most, 25 %",
        f"{SHORT}900 GET /items 200 5ms\nreading 1-10 s lag 499",
    ),
    Proof(
        "generator-late",
        "reading 1-8 s lag 400",
        "late by 100 ms or more in 8 readings, 400 ms at most, 16 %",
        "reading 1-7 s lag 400",
    ),
    Proof(
        "generator-late",
        "reading 1-20 s lag 160",
        "in 20 readings",
        f"{SHORT}900 GET /items 200 5ms\nreading 1-20 s lag 400",
    ),
    Proof("generator-late", "reading 1-8 s lag 400\nlimit GET /items p90 5s", "late by 100 ms or more", ""),
    Proof("generator-late", "reading 22 s lag 4000", "4,000 ms at most", "reading 25 s lag 4000"),
    Proof(
        "host-busy",
        "reading 0-21 s host 97",
        "busy to 97 %; of one core, the service used 60 %",
        "reading 0-15 s host 99",
    ),
    Proof(
        "machine-taken",
        f"{SLOW}reading 0-21 s others 0.5",
        "others took 0.5 of 2 cores on average (cc1 0.4, the host of this virtual machine 0.1), "
        "and this was broken meanwhile: all p50, GET /items p95",
        f"{SLOW}reading 0-21 s others 0.49",
    ),
    Proof("machine-taken", f"{SLOW}reading 0-21 s others 2", "others took 2.0 of 2 cores", SLOW),
    Proof(  # what breaks more than latencies is told as what it is
        "machine-taken",
        f"{SLOW}reading 0-21 s others 2\nlimit all rate 99/s",
        "broken meanwhile: all p50, all rate, GET /items p95",
        f"{SLOW}reading 0-21 s others 2\n9 GET /items 500 2ms",
    ),
    Proof(  # half of the readings know it
        "machine-taken",
        f"{SLOW}reading 0-11 s others 2",
        "others took 2.0",
        f"{SLOW}reading 0-7 s others 2",
    ),
    Proof(
        "machine-taken",
        f"{SLOW}reading 0-21 s others 2",
        "others took 2.0",
        f"{SHORT}600 GET /items 200 5-50ms\nreading 0-21 s others 2",
    ),
    Proof(
        "load-not-reached",
        f"{SHORT}offers 50/s\nleast ShopUser 50/s\n600 GET /items 200 50ms",
        "10 users with 50 ms a reply had time for 800 requests, and sent 600 (75 %)",
        f"{SHORT}offers 50/s\nleast ShopUser 50/s\n620 GET /items 200 50ms",
    ),
    Proof(  # replies last longer than the phase: what was on its way when it began is time spent waiting
        "load-not-reached",
        f"{SHORT}least ShopUser 50/s\n500 GET /items 200 50ms\n100 GET /items 200 9.9ms ramp",
        "had time for 800 requests, and sent 500",
        f"{SHORT}least ShopUser 50/s\n10 GET /queue 200 19000ms ramp\n200 GET /items 200 50ms",
    ),
    Proof(
        "load-not-reached",
        f"{SHORT}least ShopUser 50/s\n10 GET /queue 200 9000ms ramp\n200 GET /items 200 50ms",
        "and sent 200",
        f"{SHORT}least ShopUser 50/s\n10 GET /queue 0 29000ms never ramp\n100 GET /items 200 5ms",
    ),
    Proof(  # nine users go on; the tenth asked before the phase, and got no reply until after it
        "users-waiting",
        f"{SHORT}1 GET /items 200 35000ms ramp\n500 GET /items 200 50ms",
        "1 of 10 ShopUser waited for one reply all the steady phase, so what was measured is the load of 9",
        f"{SHORT}1 GET /items 200 19000ms ramp\n500 GET /items 200 50ms",
    ),
    Proof(
        "users-waiting",
        f"{SHORT}4 GET /items 0 39000ms never ramp\n500 GET /items 200 50ms",
        "4 of 10 ShopUser waited",
        f"{SHORT}arrivals 50/s\n4 GET /items 0 29000ms never\n1000 GET /items 200 5ms",
    ),
    Proof(
        "arrivals-unsent",
        f"{SHORT}arrivals 50/s\n999 GET /items 200 5ms\n1 (not sent) 0 90ms never",
        "1 of 1,000 arrivals brought no request from the 10 users",
        f"{SHORT}arrivals 50/s\n1000 GET /items 200 5ms",
    ),
    Proof(
        "load-impossible",
        "600 GET /items 200 5ms",
        "75.0 requests/s, where 10 users offer at most 50.0/s",
        "300 GET /items 200 5ms",
    ),
)
