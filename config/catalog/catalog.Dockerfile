# The catalog's image: what `make catalog` wrote, and opm, which serves it.
ARG OPM_IMAGE=quay.io/operator-framework/opm:v1.73.0
FROM ${OPM_IMAGE}
ENTRYPOINT ["/bin/opm"]
# Without a cache that was filled here: one architecture's opm need not run on another's machine.
CMD ["serve", "/configs"]
COPY bin/catalog /configs
LABEL operators.operatorframework.io.index.configs.v1=/configs
