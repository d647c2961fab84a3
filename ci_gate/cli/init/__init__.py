"""`ci-gate init`: looks at a repository, and drafts what the gate needs there."""
