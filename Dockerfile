# The operator's image: one static program that `make build-linux` built, and nothing else.
FROM scratch
ARG TARGETARCH
COPY bin/manager-linux-${TARGETARCH} /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
