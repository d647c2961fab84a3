"""The ephemeral service under test: a command, an image, a Dockerfile or a URL; always removed."""
