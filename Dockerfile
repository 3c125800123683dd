# The gateway and its engine for CPUs, as one image for GitLab 17.2 to 17.8:
#
#   docker build -t aigw .
#   docker run -p 5052:5052 -e AIGW_GITLAB_URL=https://gitlab.example.com -v models:/models aigw
#
# Build arguments, all with defaults; offline, name images that your registry has:
#   BASE          what the image is made on: Debian 12, Ubuntu 22.04, RHEL 9 or newer, with libstdc++
#   BUILDER       what builds the program: Debian 12 with Go
#   TREE          "built" builds it, for another kind of machine with a cross compiler (docker buildx build --platform
#                 linux/arm64); "given" takes what `make tree` made before
#   GIVEN         where that is, below this folder
#   VERSION       stamped into the program and the label
#   DOCS_INDEX    documentation index to bake in: a folder below this one, made by aigw docs index
#   AIGW_CPU_VARIANTS, AIGW_JOBS   see third_party/README.md
#
# Health checks are kept in Docker's format only: buildah build --format docker.
ARG BASE=debian:bookworm-slim
ARG BUILDER=golang:1.26-bookworm
ARG TREE=built
ARG GIVEN=bin/tree
ARG DOCS_INDEX=

FROM --platform=$BUILDPLATFORM ${BUILDER} AS builder
ARG TARGETARCH
ARG VERSION=dev
ARG AIGW_CPU_VARIANTS=
ARG AIGW_JOBS=
WORKDIR /src
COPY . .
RUN AIGW_CACHE=/cache AIGW_ARCH=${TARGETARCH} VERSION=${VERSION} deploy/tree.sh /tree

FROM scratch AS tree-built
COPY --from=builder /tree/ /

FROM scratch AS tree-given
ARG GIVEN
COPY ${GIVEN}/ /

FROM tree-${TREE} AS tree

FROM scratch AS docs
COPY NOTICE /

# An index carries ATTRIBUTION.txt, which says whose the pages are.
FROM scratch AS docs-baked
ARG DOCS_INDEX=
COPY NOTICE /
COPY ${DOCS_INDEX} /docs.index/

FROM docs${DOCS_INDEX:+-baked} AS documentation

FROM ${BASE}
ARG VERSION=dev
ARG DOCS_INDEX=
LABEL org.opencontainers.image.title=aigw \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.description="GitLab's AI Gateway with its models in one process"
COPY --from=tree / /opt/aigw/
# Any user may run it: what is written to belongs to group 0, as OpenShift wants it. /etc/passwd is
# written by hand, because a base need not have useradd.
RUN echo 'aigateway:x:1000:0::/home/aigateway:/usr/sbin/nologin' >>/etc/passwd && \
    mkdir -p /models /home/aigateway/app/tmp /home/aigateway/.cache /home/aigateway/.local/state/aigw && \
    chown -R 1000:0 /home/aigateway /models && chmod -R g=u /home/aigateway /models && \
    ln -s /opt/aigw/bin/aigw /usr/local/bin/aigw
# GitLab's image keeps its index there. Behind the line above, which would store all of it twice.
COPY --from=documentation / /home/aigateway/app/tmp/
ENV AIGW_DOCS=${DOCS_INDEX:+/home/aigateway/app/tmp/docs.index}
ENV HOME=/home/aigateway \
    AIGW_FASTAPI__API_HOST=0.0.0.0 \
    AIGW_FASTAPI__API_PORT=5052 \
    AIGW_FASTAPI__METRICS_HOST=0.0.0.0 \
    AIGW_FASTAPI__OPENAPI_URL=/openapi.json \
    AIGW_FASTAPI__DOCS_URL=/docs \
    AIGW_CUSTOM_MODELS__ENABLED=true
WORKDIR /home/aigateway/app
USER 1000:0
RUN [ -z "${AIGW_DOCS}" ] || /opt/aigw/bin/aigw docs info "${AIGW_DOCS}"
EXPOSE 5052 8082
VOLUME /models
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/opt/aigw/bin/aigw", "health"]
ENTRYPOINT ["/opt/aigw/bin/aigw"]
CMD ["run", "--models-dir", "/models"]
