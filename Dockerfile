# ci-gate with its Locust, for the pods and jobs that put on load. Built from the repository's root:
#   docker build -t ci-gate .
ARG BASE=python:3.13-slim
FROM ${BASE}

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1

# What is installed changes less often than the code: a layer of its own, for which an empty package is enough.
COPY .ci/packages .ci/uv.lock /opt/ci-gate/.ci/
COPY requirements-runtime.lock /opt/ci-gate/
RUN /opt/ci-gate/.ci/packages requirements-runtime.lock
COPY ci_gate /opt/ci-gate/ci_gate
RUN python3 -m compileall -q /opt/ci-gate/ci_gate

# A number, so that Kubernetes' runAsNonRoot can check it. The folder is for the output, where no volume is.
RUN mkdir /gate && chown 10001:10001 /gate
USER 10001:10001
WORKDIR /gate
ENV HOME=/gate

# No entry point: a job of GitLab runs its script, and an operator of Locust adds arguments of Locust's, in this image.
CMD ["ci-gate", "--help"]
