"""What the comment, the job summary, the annotations and the page are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ci_gate.evidence.environment import Environment
from ci_gate.judge.changes.approval import Approval
from ci_gate.judge.changes.rejudge import UnderBase
from ci_gate.judge.changes.threshold_changes import ThresholdChange
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A verdict, what became of the thresholds, and where it stands. Texts are empty where nothing is known.

    ``page_url`` is where report.html is. ``head_sha`` is the commit of the pull request itself.
    ``base_environments`` are the machines of the last run of base's branch, by scenario.
    """

    verdict: Verdict
    changes: tuple[ThresholdChange, ...] = ()
    under_base: tuple[UnderBase, ...] = ()
    approval: Approval | None = None
    run_url: str = ""
    page_url: str = ""
    head_sha: str = ""
    trend: str = ""  # of the base branch, a line of Markdown; empty: nothing to tell
    base_environments: Mapping[str, Environment] = field(default_factory=dict)

    @property
    def is_unapproved(self) -> bool:
        return self.approval is not None and self.approval.is_missing

    @property
    def outcome(self) -> Outcome:
        """The verdict's own, or FAIL for what was loosened without approval."""
        return Outcome.FAIL if self.is_unapproved else self.verdict.outcome
