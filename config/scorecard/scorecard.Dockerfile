# The image of the scorecard tests in scorecard/: one static program, and nothing else. `make scorecard-build` builds
# the program for each architecture first.
FROM scratch
ARG TARGETARCH
LABEL org.opencontainers.image.title="kube-changejob-scorecard" \
      org.opencontainers.image.description="Scorecard tests that prove an installed kube-changejob" \
      org.opencontainers.image.source="https://github.com/nusnewob/kube-changejob" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY bin/scorecard-linux-${TARGETARCH} /scorecard
USER 65532:65532
ENTRYPOINT ["/scorecard"]
