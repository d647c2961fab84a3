"""What the fake GitHub knows, and how it answers: also the refusals that the OpenAPI description lacks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.github.openapi_check import Description

REPOSITORY = "shop/shop"
MAX_BODY_CHARACTERS = 65_536
MAX_STATUS_DESCRIPTION = 140
PULLS = "/repos/{owner}/{repo}/pulls"
BRANCHES = "/repos/{owner}/{repo}/branches/{branch}"
BLOBS = "/blobs/"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who a token belongs to; the token of an app may not ask who it is."""

    login: str = "github-actions[bot]"
    is_app: bool = True
    may_write: bool = True


@dataclass(kw_only=True)
class Comment:
    id: int
    author: str | None
    body: str


@dataclass(kw_only=True)
class Pull:
    number: int
    sha: str
    head_repository: str | None = REPOSITORY
    branch: str = "topic"
    base: str = "main"
    labels: tuple[str, ...] = ()
    state: str = "open"
    merge_sha: str | None = None


@dataclass(kw_only=True)
class Artifact:
    id: int
    run_id: int
    name: str
    content: bytes
    expired: bool = False
    created_at: str | None = "2026-11-23T15:00:00Z"
    stated_bytes: int | None = None


@dataclass(kw_only=True)
class Run:
    id: int
    head_sha: str
    created_at: str
    workflow_id: int = 1
    event: str = "pull_request"
    status: str = "completed"
    conclusion: str | None = "success"
    pulls: tuple[int, ...] = ()  # none for a fork's
    workflow: str = "load-gate.yml"  # the name of its file
    branch: str = "topic"
    repository: str = REPOSITORY


class NotAllowedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True)
class State:
    description: Description = field(default_factory=Description)
    actors: dict[str, Actor] = field(default_factory=lambda: {"token": Actor()})
    comments: dict[int, list[Comment]] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)
    pulls: list[Pull] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    links: dict[tuple[str, str], str] = field(default_factory=dict)  # (ref, path) of a link, to its target
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)  # (ref, path)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    protection: dict[str, Any] | None = None
    default_branch: str = "main"
    url: str = ""
    blob_url: str = ""

    def answer(
        self,
        method: str,
        template: str,
        values: dict[str, str],
        query: dict[str, str],
        body: Any,
        actor: Actor,
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers. Raises NotAllowedError."""
        if f"{values.get('owner')}/{values.get('repo')}" not in {REPOSITORY, "None/None"}:
            raise NotAllowedError(404, "Not Found")
        if method != "GET" and not actor.may_write:
            raise NotAllowedError(403, "Resource not accessible by integration")
        route = _ROUTES.get((method, template))
        assert route, f"the fake does not know {method} {template}"
        return route(self, values, query, body, actor)

    def add_comment(self, number: int, author: str | None, body: str) -> Comment:
        ids = [comment.id for comments in self.comments.values() for comment in comments]
        comment = Comment(id=max(ids, default=100) + 1, author=author, body=body)
        self.comments.setdefault(number, []).append(comment)
        return comment

    def user(self, login: str) -> dict[str, Any]:
        return self.description.example(
            "simple-user", login=login, type="Bot" if "[bot]" in login else "User"
        )

    def page(self, items: list[Any], query: dict[str, str]) -> tuple[list[Any], dict[str, str]]:
        """One page of ``items``, and the query of the next one."""
        size = max(1, min(int(query.get("per_page", "30")), 100))
        number = int(query.get("page", "1"))
        more = len(items) > number * size
        return items[(number - 1) * size : number * size], {"next": str(number + 1)} if more else {}

    def show_comment(self, comment: Comment) -> dict[str, Any]:
        user = self.user(comment.author) if comment.author else None
        url = f"https://github.example/{REPOSITORY}/issues#issuecomment-{comment.id}"
        return self.description.example(
            "issue-comment", id=comment.id, body=comment.body, user=user, html_url=url
        )

    def show_pull(self, pull: Pull, schema: str = "pull-request-simple") -> dict[str, Any]:
        made = self.description.example(schema, number=pull.number, state=pull.state)
        repository = made["base"]["repo"] | {"full_name": pull.head_repository}
        labels = [
            {
                "id": 1,
                "name": name,
                "node_id": "x",
                "url": "x",
                "color": "x",
                "default": False,
                "description": "x",
            }
            for name in pull.labels
        ]
        head = made["head"] | {
            "sha": pull.sha,
            "ref": pull.branch,
            "repo": repository if pull.head_repository else None,
        }
        base = made["base"] | {"ref": pull.base, "sha": "b" * 40}
        return made | {"head": head, "base": base, "labels": labels, "merge_commit_sha": pull.merge_sha}


def _get_user(state, values, query, body, actor):
    if actor.is_app:
        raise NotAllowedError(403, "Resource not accessible by integration")
    return 200, state.user(actor.login), {}


def _get_repository(state, values, query, body, actor):
    made = state.description.example("repository", full_name=REPOSITORY, default_branch=state.default_branch)
    return 200, made, {}


def _list_comments(state, values, query, body, actor):
    number = int(values["issue_number"])
    if not any(pull.number == number for pull in state.pulls):
        raise NotAllowedError(404, "Not Found")
    items, after = state.page(state.comments.get(number, []), query)
    return 200, [state.show_comment(comment) for comment in items], after


def _check_body(body):
    if not body["body"].strip():
        raise NotAllowedError(422, "Validation Failed: body can't be blank")
    if len(body["body"]) > MAX_BODY_CHARACTERS:
        raise NotAllowedError(422, "Validation Failed: body is too long (maximum is 65536 characters)")


def _create_comment(state, values, query, body, actor):
    number = int(values["issue_number"])
    if not any(pull.number == number for pull in state.pulls):
        raise NotAllowedError(404, "Not Found")
    if number in state.locked:
        raise NotAllowedError(403, "Unable to create comment because issue is locked.")
    _check_body(body)
    return 201, state.show_comment(state.add_comment(number, actor.login, body["body"])), {}


def _update_comment(state, values, query, body, actor):
    _, comment = _find_own_comment(state, values, actor)
    _check_body(body)
    comment.body = body["body"]
    return 200, state.show_comment(comment), {}


def _delete_comment(state, values, query, body, actor):
    comments, comment = _find_own_comment(state, values, actor)
    comments.remove(comment)
    return 204, None, {}


def _find_own_comment(state, values, actor):
    """The comment that is asked for, and the list that it stands in."""
    wanted = int(values["comment_id"])
    for comments in state.comments.values():
        for comment in comments:
            if comment.id == wanted:
                if comment.author != actor.login:
                    raise NotAllowedError(403, "Must have admin rights to Repository.")
                return comments, comment
    raise NotAllowedError(404, "Not Found")


def _list_jobs(state, values, query, body, actor):
    found = [job for job in state.jobs if job["run_id"] == int(values["run_id"])]
    items, after = state.page(found, query)
    return 200, {"total_count": len(found), "jobs": items}, after


def _get_pull(state, values, query, body, actor):
    for pull in state.pulls:
        if pull.number == int(values["pull_number"]):
            return 200, state.show_pull(pull, "pull-request"), {}
    raise NotAllowedError(404, "Not Found")


def _list_pulls(state, values, query, body, actor):
    owner, _, branch = query.get("head", ":").partition(":")
    wanted = query.get("state", "open")
    found = [
        pull
        for pull in state.pulls
        if wanted in {pull.state, "all"}
        and (
            "head" not in query
            or (pull.branch == branch and (pull.head_repository or "").split("/")[0] == owner)
        )
    ]
    items, after = state.page(found, query)
    return 200, [state.show_pull(pull) for pull in items], after


def _list_pulls_of_commit(state, values, query, body, actor):
    """GitHub lists a commit's pull requests only where the commit is in this very repository."""
    sha = values["commit_sha"]
    if not any(pull.sha == sha for pull in state.pulls):
        raise NotAllowedError(404, f"No commit found for SHA: {sha}")
    found = [pull for pull in state.pulls if pull.sha == sha and pull.head_repository == REPOSITORY]
    items, after = state.page(found, query)
    return 200, [state.show_pull(pull) for pull in items], after


def _show_run(run):
    shown = {"id": run.id, "workflow_id": run.workflow_id, "created_at": run.created_at, "event": run.event}
    pulls = [{"number": number} for number in run.pulls]
    return shown | {
        "head_sha": run.head_sha,
        "status": run.status,
        "conclusion": run.conclusion,
        "pull_requests": pulls,
        "head_branch": run.branch,
        "head_repository": {"full_name": run.repository},
    }


def _get_run(state, values, query, body, actor):
    for run in state.runs:
        if run.id == int(values["run_id"]):
            return 200, _show_run(run), {}
    raise NotAllowedError(404, "Not Found")


def _list_runs(state, values, query, body, actor):
    runs = [run for run in state.runs if values["workflow_id"] in {str(run.workflow_id), run.workflow}]
    if not runs:
        raise NotAllowedError(404, "Not Found")
    found = [
        run
        for run in sorted(runs, key=lambda run: run.created_at, reverse=True)
        if query.get("head_sha", run.head_sha) == run.head_sha
        and query.get("event", run.event) == run.event
        and query.get("branch", run.branch) == run.branch
        and query.get("status", run.status) in {run.status, run.conclusion}
    ]
    items, after = state.page(found, query)
    return 200, {"total_count": len(found), "workflow_runs": [_show_run(run) for run in items]}, after


def _list_artifacts(state, values, query, body, actor):
    found = [
        artifact
        for artifact in state.artifacts
        if artifact.run_id == int(values["run_id"]) and query.get("name", artifact.name) == artifact.name
    ]
    items, after = state.page(found, query)
    shown = [
        state.description.example(
            "artifact",
            id=each.id,
            name=each.name,
            expired=each.expired,
            created_at=each.created_at,
            size_in_bytes=len(each.content) if each.stated_bytes is None else each.stated_bytes,
        )
        for each in items
    ]
    return 200, {"total_count": len(found), "artifacts": shown}, after


def _get_artifact(state, values, query, body, actor):
    artifact = next(each for each in state.artifacts if each.id == int(values["artifact_id"]))
    if artifact.expired:
        raise NotAllowedError(410, "Artifact has expired")
    return 302, None, {"Location": f"{state.blob_url}{BLOBS}{artifact.id}?signature=x"}


def _create_status(state, values, query, body, actor):
    if len(values["sha"]) != 40:
        raise NotAllowedError(422, "No commit found for SHA")
    if len(body.get("description") or "") > MAX_STATUS_DESCRIPTION:
        raise NotAllowedError(422, "Validation Failed: description is too long (maximum is 140 characters)")
    state.statuses.append(body | {"sha": values["sha"]})
    return 201, state.description.example("status") | body, {}


def _get_contents(state, values, query, body, actor):
    ref, path = query.get("ref", state.default_branch), values["path"]
    at_ref = {known: content for (each, known), content in state.files.items() if each == ref}
    if (ref, path) in state.links:
        target = state.links[ref, path]
        if target not in at_ref:
            return 200, _show_file(path, target.encode()) | {"type": "symlink", "target": target}, {}
        path = target
    if path in at_ref:
        shown = _show_file(path, at_ref[path])
        content = base64.encodebytes(at_ref[path]).decode()
        return 200, shown | {"content": content, "encoding": "base64"}, {}
    inside = {known: content for known, content in at_ref.items() if known.rpartition("/")[0] == path}
    below = f"{path}/" if path else ""
    folders = sorted({known[len(below) :].split("/")[0] for known in at_ref if known.startswith(below)})
    folders = [f"{below}{name}" for name in folders if f"{below}{name}" not in at_ref]
    if not inside and not folders:
        raise NotAllowedError(404, "Not Found")
    shown = [_show_file(known, content) for known, content in inside.items()]
    return 200, shown + [_show_folder(known, at_ref) for known in folders], {}


def _show_folder(path, at_ref):
    """Its digest is of its content, as that of a tree of git."""
    content = b"".join(at_ref[known] for known in sorted(at_ref) if known.startswith(f"{path}/"))
    return _show_file(path, content) | {"type": "dir", "size": 0, "download_url": None}


def _show_file(path, content):
    digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return {
        "type": "file",
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": digest,
        "size": len(content),
    }


def _get_commit(state, values, query, body, actor):
    if values["commit_sha"] not in state.parents:
        raise NotAllowedError(404, "Not Found")
    sha = values["commit_sha"]
    return 200, {"sha": sha, "parents": [{"sha": parent} for parent in state.parents[sha]]}, {}


def _get_branch(state, values, query, body, actor):
    protection = state.protection or {"enabled": False}
    shown = {"name": values["branch"], "commit": {}, "protected": state.protection is not None}
    return 200, shown | {"protection": protection, "protection_url": "x"}, {}


def _list_rules(state, values, query, body, actor):
    items, after = state.page(state.rules, query)
    source = {"ruleset_source_type": "Repository", "ruleset_source": REPOSITORY, "ruleset_id": 1}
    return 200, [rule | source for rule in items], after


_ROUTES: dict[tuple[str, str], Callable[..., tuple[int, Any, dict[str, str]]]] = {
    ("GET", "/user"): _get_user,
    ("GET", "/repos/{owner}/{repo}"): _get_repository,
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments"): _list_comments,
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"): _create_comment,
    ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}"): _update_comment,
    ("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}"): _delete_comment,
    ("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs"): _list_jobs,
    ("GET", f"{PULLS}/{{pull_number}}"): _get_pull,
    ("GET", PULLS): _list_pulls,
    ("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls"): _list_pulls_of_commit,
    ("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}"): _get_run,
    ("GET", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs"): _list_runs,
    ("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts"): _list_artifacts,
    ("GET", "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}"): _get_artifact,
    ("POST", "/repos/{owner}/{repo}/statuses/{sha}"): _create_status,
    ("GET", "/repos/{owner}/{repo}/contents/{path}"): _get_contents,
    ("GET", "/repos/{owner}/{repo}/git/commits/{commit_sha}"): _get_commit,
    ("GET", BRANCHES): _get_branch,
    ("GET", "/repos/{owner}/{repo}/rules/branches/{branch}"): _list_rules,
}
