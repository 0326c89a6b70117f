# The operator's image: one static program, and nothing else. `make docker-build` builds the program for each
# architecture first (make build-linux), and this image for all of them as one index.
FROM scratch
ARG TARGETARCH
LABEL org.opencontainers.image.title="kube-changejob" \
      org.opencontainers.image.description="Runs a Job when watched Kubernetes objects have changed" \
      org.opencontainers.image.source="https://github.com/nusnewob/kube-changejob" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY bin/manager-linux-${TARGETARCH} /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
